"""The tokens of one provider account: any good one will do, so that one can be changed without a gap or a restart."""

import logging
from collections.abc import Sequence
from pathlib import Path

from mutoscope.core.setting_kinds import is_token
from mutoscope.providers.base import ProviderDown

log = logging.getLogger(__name__)


class Tokens:
    """Says which token to use. Its own text never shows one.

    Args:
        given: Tokens of the same account, the preferred one first.
        file: Holds further tokens, one a line, which come before ``given``; read again whenever it has changed.
    """

    def __init__(self, given: Sequence[str], file: Path | None = None) -> None:
        self._given, self._file = tuple(one for one in given if is_token(one)), file
        self._read_at: int | None = None
        self._tokens = self._given
        self._refused: set[str] = set()

    def __repr__(self) -> str:
        """How many there are."""
        return f"Tokens({len(self._tokens)})"

    def current(self) -> str:
        """The token to use: the first that was not refused; all refused, the first.

        Raises:
            ProviderDown: There is none that could be sent, so nothing was.
        """
        self._refresh()
        good = [token for token in self._tokens if token not in self._refused]
        if not (usable := good or self._tokens):
            where = self._file or "the settings"
            raise ProviderDown(f"There is no token for Replicate in {where} that can be sent; nothing was")
        return usable[0]

    def instead_of(self, token: str) -> str | None:
        """The provider does not know ``token``: another one to try, or ``None``."""
        self._refused.add(token)
        other = self.current()
        if other in self._refused:
            self._refused.clear()  # all of them: perhaps it was the provider's mistake, so start again
            return None
        log.warning("the provider refused one of its account's tokens; another is used from now on")
        return other

    def _refresh(self) -> None:
        if self._file is None:
            return
        try:
            changed_at = self._file.stat().st_mtime_ns
            if changed_at == self._read_at:
                return
            lines = self._file.read_bytes().decode(errors="replace").split()
        except OSError as error:
            log.warning("the file of tokens cannot be read; the tokens known so far are used: %s", error.strerror)
            return
        self._read_at = changed_at
        found = [line for line in lines if is_token(line)]
        if len(found) < len(lines):
            log.warning("%s has tokens that are not printable ASCII; they are passed over", self._file)
        self._tokens = (*found, *self._given)
        self._refused.clear()
