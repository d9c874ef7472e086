"""Which models this runner offers, and how a client's name for one is understood."""

import importlib.util
from collections.abc import Sequence

from mutoscope.core.errors import ConfigurationError, NotFound
from mutoscope.replicate_protocol.references import ModelReference
from mutoscope.runner.models import echo, painter, safety, upscale
from mutoscope.runner.models.base import Model
from mutoscope.runner.problems import UnknownVersion

BUILT_IN: tuple[Model, ...] = (painter.MODEL, upscale.MODEL, safety.MODEL, echo.MODEL)


class Catalog:
    """The offered models, by name and by version.

    Raises:
        ConfigurationError: A model was asked for that does not exist, or whose libraries are not installed.
    """

    def __init__(self, wanted: Sequence[str] | None) -> None:
        known = {model.full_name: model for model in BUILT_IN}
        for name in wanted or ():
            if name not in known:
                raise ConfigurationError(f"There is no model {name!r}; there are {', '.join(known)}.")
            if missing := _missing(known[name]):
                raise ConfigurationError(f"{name} needs {missing}: install mutoscope[runner].")
        offered = [known[name] for name in wanted] if wanted else [one for one in BUILT_IN if not _missing(one)]
        self._by_name = {model.full_name: model for model in offered}
        self._by_version = {model.version: model for model in offered}

    @property
    def models(self) -> list[Model]:
        """All that is offered."""
        return list(self._by_name.values())

    def model(self, name: str) -> Model:
        """One model by ``owner/name``. Raises ``NotFound``."""
        if name not in self._by_name:
            raise NotFound("The requested resource could not be found.")
        return self._by_name[name]

    def running(self, version: str) -> Model:
        """The model of a version that was resolved before. Raises ``NotFound``."""
        if version not in self._by_version:
            raise NotFound("The requested resource could not be found.")
        return self._by_version[version]

    def resolve(self, reference: ModelReference) -> Model:
        """What a create wants to run. Raises ``UnknownVersion``."""
        model = (
            self._by_version.get(reference.version or "")
            if reference.version
            else self._by_name.get(reference.model or "")
        )
        if model is None or reference.model not in {None, model.full_name}:
            raise UnknownVersion(
                f"The specified version {str(reference)!r} does not exist (or perhaps you don't have permission to use "
                f"it?); this runner offers {', '.join(self._by_name)}.",
            )
        return model


def _missing(model: Model) -> str:
    return ", ".join(name for name in model.requires if importlib.util.find_spec(name) is None)
