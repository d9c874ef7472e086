"""What can be run here, and how a client's name for it is understood."""

import importlib.util
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mutoscope.core.errors import ConfigurationError
from mutoscope.replicate_protocol.references import ModelReference, is_model_name
from mutoscope.runner.models import echo, painter, safety, scribe, upscale
from mutoscope.runner.models.base import Model
from mutoscope.runner.offers import Offer
from mutoscope.runner.problems import UnknownVersion
from mutoscope.runner.shelf import KeptVersion, Shelf

BUILT_IN: tuple[Model, ...] = (painter.MODEL, upscale.MODEL, safety.MODEL, scribe.MODEL, echo.MODEL)


@dataclass(frozen=True, slots=True)
class Runnable:
    """A version, found.

    Attributes:
        offer: The model whose program runs.
        name: The full name of the model that the version belongs to.
        version: The version's id.
        weights: What a training made for it, as ``folder/name``.
    """

    offer: Offer
    name: str
    version: str
    weights: str | None = None


class Catalog:
    """The offered models by name and by version, and the versions that trainings made of them."""

    def __init__(self, offers: Sequence[Offer], shelf: Shelf) -> None:
        self._shelf = shelf
        self._offers = {offer.model.full_name: offer for offer in offers}

    @property
    def offers(self) -> list[Offer]:
        """All that is offered."""
        return list(self._offers.values())

    @property
    def models(self) -> list[Model]:
        """All models that are offered; not those that clients created."""
        return [offer.model for offer in self._offers.values()]

    def offered(self, name: str) -> Model | None:
        """One offered model by ``owner/name``."""
        offer = self._offers.get(name)
        return offer.model if offer else None

    def replace(self, offer: Offer) -> Offer | None:
        """Offer a model, instead of one of the same name if there is one, which is returned."""
        name = offer.model.full_name
        before = self._offers.get(name)
        self._offers[name] = offer
        return before

    def version(self, version: str) -> Runnable | None:
        """A version by its id, of an offered model or made by a training."""
        for offer in self._offers.values():
            if offer.model.version == version:
                return Runnable(offer, offer.model.full_name, version)
        kept = self._shelf.version(version)
        return self._trained(kept) if kept else None

    def resolve(self, reference: ModelReference) -> Runnable:
        """What a create wants to run. Raises ``UnknownVersion``."""
        match reference.kind:
            case "version":
                found = self.version(reference.version or "")
            case "official":
                found = self._official(reference.model or "")
            case "deployment":
                deployment = self._shelf.deployment(reference.model or "")
                found = self.version(deployment.version) if deployment else self._official(reference.model or "")
        wrong_model = reference.kind == "version" and found and reference.model not in {None, found.name}
        if found is None or wrong_model:
            raise UnknownVersion(self._refusal(reference))
        return found

    def _official(self, name: str) -> Runnable | None:
        offer = self._offers.get(name)
        return Runnable(offer, name, offer.model.version) if offer else None

    def _trained(self, kept: KeptVersion) -> Runnable | None:
        base = self.version(kept.base) if kept.base != kept.id else None
        return Runnable(base.offer, kept.model, kept.id, kept.weights) if base else None

    def _refusal(self, reference: ModelReference) -> str:
        if reference.kind == "official" and self._shelf.model(reference.model or ""):
            return f"{reference.model} is not an official model: name one of its versions, 'owner/name:version'."
        return (
            f"The specified version {str(reference)!r} does not exist (or perhaps you don't have permission to use "
            f"it?); this runner offers {', '.join(self._offers)}."
        )


def choose(wanted: Sequence[str] | None) -> list[Model]:
    """The built-in models to offer: those that are wanted, or all whose libraries are there.

    Raises:
        ConfigurationError: A model is wanted that does not exist, or whose libraries are not installed.
    """
    known = {model.full_name: model for model in BUILT_IN}
    for name in wanted or ():
        if name not in known:
            raise ConfigurationError(f"There is no model {name!r}; there are {', '.join(known)}.")
        if missing := _missing(known[name]):
            raise ConfigurationError(f"{name} needs {missing}: install mutoscope[runner].")
    return [one for one in BUILT_IN if not _missing(one)] if wanted is None else [known[name] for name in wanted]


def check_names(names: Iterable[str], workers: Iterable[str]) -> None:
    """Whether each model that is to be offered has a name of its own, and each in ``workers`` is one of them.

    Raises:
        ConfigurationError: It names the first that is wrong.
    """
    counts = Counter(names)
    for name, count in counts.items():
        if not is_model_name(name):
            raise ConfigurationError(
                f"Nobody could ask for a model of the name {name!r}: it must be 'owner/name', each of letters, digits, "
                "'.', '_' and '-', with a letter or a digit at both ends.",
            )
        if count > 1:
            raise ConfigurationError(f"There are two models of the name {name!r}: give one of them another.")
    for name in workers:
        if name not in counts:
            raise ConfigurationError(f"There is no model {name!r} to give workers to; there are {', '.join(counts)}.")


def _missing(model: Model) -> str:
    return ", ".join(name for name in model.requires if importlib.util.find_spec(name) is None)
