"""Which provider account to ask about a model: one that may run it, because others may not see it."""

from collections.abc import Sequence

from mutoscope.catalog.entries import CatalogEntry
from mutoscope.replicate_protocol.references import ModelReference


class Owners:
    """Answers from the entries of the settings; ``main`` is the account to ask about everything else."""

    def __init__(self, entries: Sequence[CatalogEntry], main: str) -> None:
        self._main = main
        self._by_reference: dict[ModelReference, str] = {}
        self._by_name: dict[tuple[bool, str | None], str] = {}
        for one in entries:
            if one.settings.accounts:
                account = one.settings.accounts[0]
                self._by_reference.setdefault(one.reference, account)
                self._by_name.setdefault(_name(one.reference), account)

    def of(self, about: ModelReference | None) -> str:
        """The account of the entry for exactly this; else of one for the same model or deployment; else the main one.

        ``None`` is what belongs to nobody.
        """
        if about is None:
            return self._main
        return self._by_reference.get(about) or self._by_name.get(_name(about), self._main)


def _name(reference: ModelReference) -> tuple[bool, str | None]:
    """A model and a deployment may have the same name. A bare version has none, and is only itself."""
    return reference.kind == "deployment", reference.model or reference.version
