"""A stage on either database, for stories that are told step by step."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from tests.property.shop import Shop
from tests.property.stage import Stage

OpenStage = Callable[[bool], Stage]


@pytest.fixture
def open_stage(database_url: str) -> Iterator[OpenStage]:
    """Opens the stage, with webhooks or without; the notes are printed if the test fails."""
    stages: list[Stage] = []
    with asyncio.Runner() as runner:

        def open_one(webhooks: bool) -> Stage:
            stages.append(Stage(Shop(runner, database_url, webhooks=webhooks), print))
            return stages[0]

        yield open_one
        for stage in stages:
            stage.close()
