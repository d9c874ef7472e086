"""The models that can be run, found by the alias of the settings or by what Replicate calls them."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from mutoscope.core.errors import ConfigurationError, MutoscopeError, NotFound
from mutoscope.core.model_settings import DefaultModelSettings, ModelSettings, ModelTerms
from mutoscope.replicate_protocol.references import InvalidReference, ModelReference, parse_reference

Kind = Literal["prediction", "training"]
MAX_REFERENCE_CHARS = 255


class NotPriced(MutoscopeError):
    """A model that nobody has put a price on."""

    status, code, title = 422, "model_not_priced", "This model has no price here"


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One model that can be run. ``ad_hoc``: it has no entry in the settings, and may be invented."""

    alias: str
    settings: ModelSettings
    reference: ModelReference
    ad_hoc: bool = False


class Entries:
    """The entries of the settings, and those that the default price makes.

    Args:
        models: The settings of the models, by alias.
        default: The terms of models without an entry; ``None``: they cannot be run.

    Raises:
        ConfigurationError: A model's reference cannot be read; names the alias.
    """

    def __init__(self, models: Mapping[str, ModelSettings], default: DefaultModelSettings | None = None) -> None:
        self._default = default
        self._by_alias = {alias: _entry(alias, settings) for alias, settings in models.items()}

    def all(self) -> list[CatalogEntry]:
        """Those of the settings, in their order."""
        return list(self._by_alias.values())

    def get(self, alias: str) -> CatalogEntry:
        """The model of this alias; with a default price also of any reference.

        Raises:
            NotFound: There is none; names the aliases that look like it.
            NotPriced: The default price is not for it.
        """
        if entry := self._by_alias.get(alias) or self._by_default(alias):
            return entry
        near = get_close_matches(alias[:100], self._by_alias, n=3) or list(self._by_alias)[:10]
        known = f"Did you mean {', '.join(near)}?" if near else "No models are configured."
        raise NotFound(f"There is no model {alias[:100]!r}. {known}")

    def resolve(self, reference: ModelReference, kind: Kind = "prediction") -> CatalogEntry:
        """What runs or trains the model that Replicate calls ``reference``: an entry of the settings.

        Else, for predictions only, one at the default price: a training may cost a thousand times as much.

        Raises:
            NotPriced: There is neither, or the default price is not for it; says how to price it.
        """
        if entry := self.listed(reference, kind):
            return entry
        if kind == "training":
            raise _training_not_priced(reference)
        if entry := self._ad_hoc(reference):
            return entry
        name = (reference.name or "my-model")[:40].replace(".", "-").lower()
        raise NotPriced(
            f"{reference} has no price here, so it cannot be run. Whoever operates this service can give it one in "
            f'mutoscope.toml: [models.{name}] reference = "{reference}" price = {{ per_run = 1 }}; or one for every '
            "model without an entry: [default_model] price = { per_run = 1 }."
        )

    def listed(self, wanted: ModelReference, kind: Kind | None = None) -> CatalogEntry | None:
        """The entry of exactly this reference; else one that names the same version, or pins a version of the model."""
        for same in (_is_same, _is_same_version, _pins):
            for entry in self._by_alias.values():
                if kind in (None, entry.settings.kind) and same(entry.reference, wanted):
                    return entry
        return None

    def _by_default(self, alias: str) -> CatalogEntry | None:
        if self._default is None:
            return None
        try:
            reference = parse_reference(alias)
        except InvalidReference:
            return None
        return self.listed(reference, "prediction") or self._ad_hoc(reference)

    def _ad_hoc(self, reference: ModelReference) -> CatalogEntry | None:
        if self._default is None or len(str(reference)) > MAX_REFERENCE_CHARS:
            return None
        self._refuse_to_undercut(reference, self._default)
        terms = {name: getattr(self._default, name) for name in ModelTerms.model_fields}
        return CatalogEntry(str(reference), ModelSettings(reference=str(reference), **terms), reference, ad_hoc=True)

    def _refuse_to_undercut(self, wanted: ModelReference, default: DefaultModelSettings) -> None:
        """What has a price of its own is not to be had for the default one, by another version or another spelling."""
        priced = [one for one in self._by_alias.values() if one.settings.kind == "prediction"]
        if wanted.model is None:
            if priced and not default.bare_versions:
                raise _of_which_model(wanted)
            return
        for one in priced:
            if _same_name(one.reference, wanted):
                raise _has_its_own(wanted, one)


def _of_which_model(wanted: ModelReference) -> NotPriced:
    return NotPriced(
        f"{wanted} does not say of which model it is a version, which may be one with a price of its own. Ask for "
        f'"owner/name:{wanted}". Whoever operates this service can give it a price in mutoscope.toml: '
        f'[models.my-model] reference = "{wanted}" price = {{ per_run = 1 }}; or say that the default price holds for '
        "every version that comes without its owner and name: [default_model] bare_versions = true."
    )


def _has_its_own(wanted: ModelReference, entry: CatalogEntry) -> NotPriced:
    return NotPriced(
        f"{wanted} has no price here: {entry.reference} has one of its own, so the default price is not "
        f"for it. Ask for {entry.reference}. Whoever operates this service can give it another entry in "
        f'mutoscope.toml: [models.{entry.alias}-2] reference = "{wanted}" price = {{ per_run = 1 }}.'
    )


def _training_not_priced(reference: ModelReference) -> NotPriced:
    name = (reference.name or "my-model")[:40].replace(".", "-").lower()
    return NotPriced(
        f"Trainings of {reference} have no price here, so there are none. Whoever operates this service can give them "
        f'one in mutoscope.toml: [models.train-{name}] reference = "{reference}" kind = "training" '
        "price = { per_predict_second = 1 }. The price of [default_model] is for predictions only."
    )


def _same_name(one: ModelReference, other: ModelReference) -> bool:
    """Whether both name one model, or one deployment, whatever the case of its letters: they may have equal names."""
    if one.model is None or other.model is None or (one.kind == "deployment") != (other.kind == "deployment"):
        return False
    return one.model.lower() == other.model.lower()


def _is_same(entry: ModelReference, wanted: ModelReference) -> bool:
    return entry == wanted


def _is_same_version(entry: ModelReference, wanted: ModelReference) -> bool:
    """Clients send a version without its owner and name."""
    one_is_bare = entry.model is None or wanted.model is None
    return wanted.kind == entry.kind == "version" and entry.version == wanted.version and one_is_bare


def _pins(entry: ModelReference, wanted: ModelReference) -> bool:
    return wanted.kind == "official" and entry.kind == "version" and entry.model == wanted.model


def _entry(alias: str, settings: ModelSettings) -> CatalogEntry:
    try:
        reference = parse_reference(settings.reference)
    except InvalidReference as error:
        raise ConfigurationError(f"models.{alias}.reference: {error.detail}") from error
    if settings.kind == "training" and not (reference.model and reference.version):
        raise ConfigurationError(f"models.{alias}.reference: a training needs owner/name:version")
    return CatalogEntry(alias, settings, reference)
