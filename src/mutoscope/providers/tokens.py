"""The tokens of one provider account: any good one will do, so that one can be changed without a gap or a restart."""

import logging
from collections.abc import Sequence
from pathlib import Path

log = logging.getLogger(__name__)


class Tokens:
    """Says which token to use. Its own text never shows one.

    Args:
        given: Tokens of the same account, the preferred one first.
        file: Holds further tokens, one a line, which come before ``given``; read again whenever it has changed.
    """

    def __init__(self, given: Sequence[str], file: Path | None = None) -> None:
        self._given, self._file = tuple(given), file
        self._read_at: int | None = None
        self._tokens = self._given
        self._refused: set[str] = set()

    def __repr__(self) -> str:
        """How many there are."""
        return f"Tokens({len(self._tokens)})"

    def current(self) -> str:
        """The token to use: the first that was not refused; all refused, the first. Empty if there is none."""
        self._refresh()
        good = [token for token in self._tokens if token not in self._refused]
        return next(iter(good or self._tokens), "")

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
            lines = self._file.read_text().split()
        except OSError as error:
            log.warning("the file of tokens cannot be read; the tokens known so far are used: %s", error.strerror)
            return
        self._read_at = changed_at
        self._tokens = (*lines, *self._given)
        self._refused.clear()
