"""A provider of schemas in the hands of a test, and settings of models that it has."""

import asyncio
from typing import Any

from mutoscope.core.errors import Unavailable
from mutoscope.core.model_settings import ModelSettings
from mutoscope.providers.base import CreateRefused
from tests.catalog.documents import paint

PINNED = "owner/name:" + "a" * 64


class Provider:
    """Publishes schemas and counts who asks."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.documents = {"owner/paint": paint(), PINNED: paint(), "deployments/owner/paint": paint()}
        self.down = False
        self.open = asyncio.Event()
        self.open.set()

    async def fetch(self, reference: str) -> dict[str, Any]:
        self.asked.append(reference)
        await self.open.wait()
        if self.down:
            raise Unavailable("the provider is down")
        if reference not in self.documents:
            raise CreateRefused(f"there is no {reference}")
        return self.documents[reference]


MODELS = {
    alias: ModelSettings.model_validate({"reference": reference, "price": {"per_output": 3, "max_outputs": 4}})
    for alias, reference in {
        "paint": "owner/paint", "paint-too": "owner/paint", "pinned": PINNED, "deployed": "deployments/owner/paint"
    }.items()
}  # fmt: skip
