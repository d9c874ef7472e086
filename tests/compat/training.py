"""What tests of trainings need: the entry that prices one, a model of the operator's to train into, and a request."""

from typing import Any

import httpx

from mutoscope.core.ids import new_id
from tests.compat.door import Door, Json
from tests.world import AUTH, PRICE, RunnerProcess

SCRIBE = "mutoscope/scribe"
DATA = "data:text/plain,red%20fox%20red%20fox"


def version_of(runner: RunnerProcess) -> str:
    """The version of the model that can be trained."""
    shown = httpx.get(f"{runner.url}/v1/models/{SCRIBE}", headers=AUTH).raise_for_status().json()
    return shown["latest_version"]["id"]


def tune(runner: RunnerProcess) -> Json:
    """A catalog entry for its training."""
    return {"reference": f"{SCRIBE}:{version_of(runner)}", "kind": "training", "price": {"per_run": PRICE}}


def new_destination(runner: RunnerProcess) -> str:
    body = {"owner": "local", "name": new_id("fox").replace("_", "-"), "visibility": "private", "hardware": "cpu"}
    httpx.post(f"{runner.url}/v1/models", json=body, headers=AUTH).raise_for_status()
    return f"local/{body['name']}"


async def train(door: Door, version: str, destination: str, body: Json | None = None, **inputs: Any) -> httpx.Response:
    given = {"destination": destination, "input": {"train_data": DATA, **inputs}, **(body or {})}
    return await door.http.post(f"models/{SCRIBE}/versions/{version}/trainings", json=given)


async def ended(door: Door, training: Json) -> Json:
    shown = training
    while shown["status"] in {"starting", "processing"}:
        shown = (await door.http.get(training["urls"]["get"])).json()
    return shown
