"""Makes models of the Cog servers that the configuration names."""

from typing import Any

from mutoscope.core.errors import ConfigurationError
from mutoscope.replicate_protocol.schemas import input_properties
from mutoscope.runner.cogs.process import is_predictor
from mutoscope.runner.cogs.server import CogServer
from mutoscope.runner.cogs.upstream import CogUpstream, Surroundings
from mutoscope.runner.config import RunnerConfig
from mutoscope.runner.models.base import Model
from mutoscope.runner.predictors.describe import describe

_ANYTHING: dict[str, Any] = {
    "openapi": "3.0.2",
    "info": {"title": "Cog", "version": "0.1.0"},
    "components": {
        "schemas": {
            "Input": {"type": "object", "title": "Input", "properties": {}, "additionalProperties": True},
            "Output": {"title": "Output"},
        },
    },
}
"""What a Cog server takes that does not say what it takes."""


class Cogs:
    """The Cog servers of one runner."""

    def __init__(self, config: RunnerConfig, surroundings: Surroundings) -> None:
        urls = {name: (url, "") for name, url in config.cogs.items()}
        commands = {name: ("", command) for name, command in config.cog_commands.items()}
        self._commands = config.cog_commands
        self._upstreams = {
            name: CogUpstream(CogServer(name, *place), config.workers.get(name, 1), surroundings)
            for name, place in (urls | commands).items()
        }

    async def open(self) -> list[Model]:
        """Make them ready, one after the other. Raises ``ConfigurationError`` for one that cannot be used."""
        return [await self._model(name, upstream) for name, upstream in self._upstreams.items()]

    async def aclose(self) -> None:
        """Stop those that were started here."""
        for upstream in self._upstreams.values():
            await upstream.aclose()

    async def _model(self, name: str, upstream: CogUpstream) -> Model:
        try:
            schema = await upstream.open()
        except ConfigurationError as error:
            raise ConfigurationError(f"The model {name} cannot be offered: {error.detail}") from error
        command = self._commands.get(name, "")
        if schema is None and is_predictor(command):
            schema = describe(name, command).openapi_schema
            properties = input_properties(schema)
            upstream.left_out = {key: None for key, one in properties.items() if one.get("nullable")}
        owner, _, short = name.partition("/")
        return Model(
            owner=owner,
            name=short,
            description="A model that is served by Cog.",
            openapi_schema=schema or _ANYTHING,
            predictor=upstream.predict,
        )
