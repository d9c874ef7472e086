"""Trains ``mutoscope/scribe`` from a test."""

from typing import Any

import httpx

from tests.runner.harness import TERMINAL, Client, Json, eventually

TEXT = "data:text/plain,red%20fox%20red%20fox%20red%20fox"


async def start_training(
    runner: Client, destination: str, model: str = "mutoscope/scribe", **more: Any
) -> httpx.Response:
    """Ask for a training of a model's latest version."""
    version = (await runner.http.get(f"/v1/models/{model}")).json()["latest_version"]["id"]
    training_input = more.pop("input", {"train_data": TEXT})
    body = {"destination": destination, "input": training_input, **more}
    return await runner.http.post(f"/v1/models/{model}/versions/{version}/trainings", json=body)


async def ended(runner: Client, training_id: str) -> Json:
    """A training, when it has ended."""

    async def get() -> Json:
        return (await runner.http.get(f"/v1/trainings/{training_id}")).json()

    return await eventually(get, lambda shown: shown["status"] in TERMINAL)


async def train(runner: Client, destination: str, **more: Any) -> Json:
    """A training that ended."""
    answer = await start_training(runner, destination, **more)
    assert answer.status_code == 201, answer.text
    return await ended(runner, answer.json()["id"])
