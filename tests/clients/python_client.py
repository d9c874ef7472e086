"""Replicate's Python client as a program: ``python python_client.py COMMAND``, as ``js/client.js``.

It reads arguments as JSON from standard input and prints the result as JSON. Base URL and token come from the
environment, and nothing else is ours.
"""

import asyncio
import base64
import contextlib
import inspect
import json
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import replicate
from replicate.client import Client
from replicate.exceptions import ModelError, ReplicateError
from replicate.helpers import FileOutput
from replicate.webhook import WebhookSigningSecret, WebhookValidationError

Json = dict[str, Any]
client: Any = Client()  # what the client says of its own types is not the point here
client.poll_interval = 0.05


def plain(value: Any) -> Any:
    if isinstance(value, FileOutput):
        return {"base64": base64.b64encode(value.read()).decode()}
    if isinstance(value, list | Iterator):
        return [plain(one) for one in value]
    return {key: plain(one) for key, one in value.items()} if isinstance(value, dict) else value


@contextlib.contextmanager
def with_files(given: Json, files: dict[str, str]) -> Generator[Json]:
    with contextlib.ExitStack() as stack:
        yield {**given, **{name: stack.enter_context(Path(path).open("rb")) for name, path in files.items()}}


def ids(page: Any) -> list[str]:
    return [one.id for one in page]


def run(ref: str, input: Json, mode: str, files: dict[str, str] | None = None) -> Json:
    with with_files(input, files or {}) as given:
        output = client.run(ref, input=given, wait=mode == "block")
        return {"output": plain(output), "progress": progress(ref, input) if mode == "poll" else []}


def progress(ref: str, input: Json) -> list[float]:
    """The Python client reads progress of a prediction, not of a run."""
    prediction, seen = client.predictions.create(version=ref, input=input), list[float]()
    while prediction.status in {"starting", "processing"}:
        prediction.reload()
        if shown := prediction.progress:
            seen.append(shown.percentage)
    return seen


def predictions(version: str, input: Json) -> Json:
    created = client.predictions.create(version=version, input=input)
    status = created.status
    got = client.predictions.get(created.id)
    canceled = client.predictions.cancel(created.id)
    listed = client.predictions.list()
    return {
        "id": created.id,
        "created": status,
        "got": got.id,
        "canceled": canceled.status,
        "listed": ids(listed.results),
    }


def pages() -> Json:
    return {"pages": [ids(page.results) for page in replicate.paginate(client.predictions.list)]}


def stream(ref: str, input: Json) -> Json:
    return {"events": [[one.event.value, one.data] for one in client.stream(ref, input=input)]}


def files(path: str) -> Json:
    created = client.files.create(path, metadata={"ref": 7})
    got, listed = client.files.get(created.id), client.files.list()
    client.files.delete(created.id)
    return {"created": created.dict(), "got": got.id, "listed": ids(listed), "deleted": True}


def models(query: str) -> Json:
    model = client.models.get("mutoscope/echo")
    version = model.versions.get(model.latest_version.id)
    return {
        "model": f"{model.owner}/{model.name}",
        "version": version.id,
        "inputs": list(version.openapi_schema["components"]["schemas"]["Input"]["properties"]),
        "versions": ids(model.versions.list().results),
        "listed": ids(client.models.list().results),
        "found": ids(client.models.search(query).results),
    }


def deployment(name: str, version: str, input: Json) -> Json:
    options: Json = {"model": "mutoscope/echo", "version": version, "hardware": "cpu"}
    created = client.deployments.create(name=name, **options, min_instances=0, max_instances=1)
    full_name = f"{created.owner}/{created.name}"
    updated = client.deployments.update(created.owner, created.name, max_instances=3)
    got = client.deployments.get(full_name)
    prediction = got.predictions.create(input=input)
    prediction.wait()
    listed = client.deployments.list()
    return {
        "numbers": [one.current_release.number for one in (created, updated, got)],
        "listed": ids(listed.results),
        "output": prediction.output,
        "deleted": client.deployments.delete(created.owner, created.name),
    }


def training(model: str, version: str, owner: str, name: str, input: Json, make: bool) -> Json:
    if make:
        client.models.create(owner, name, visibility="private", hardware="cpu")
    options = {"model": model, "version": version, "destination": f"{owner}/{name}"}
    done = client.trainings.create(**options, input=input)
    dropped = client.trainings.create(**options, input={**input, "seconds": 300})
    dropped.cancel()
    while done.status in {"starting", "processing"}:
        time.sleep(0.05)
        done.reload()
    text = client.run(done.output["version"], input={"prompt": "red", "max_tokens": 3})
    return {
        "status": done.status,
        "canceled": dropped.status,
        "version": done.output["version"],
        "text": list(text),
        "listed": ids(client.trainings.list().results),
    }


def account() -> Json:
    listed = client.collections.list().results
    collection = client.collections.get(listed[0].slug)
    return {
        "account": client.accounts.current().type,
        "hardware": [one.sku for one in client.hardware.list()],
        "collections": [one.slug for one in listed],
        "collection": [collection.slug, len(collection) > 0],
    }


def webhook(headers: dict[str, str], body: str) -> Json:
    secret = client.webhooks.default.secret()
    return {"good": valid(headers, body, secret), "forged": valid(headers, f"{body} ", secret)}


def valid(headers: dict[str, str], body: str, secret: WebhookSigningSecret) -> bool:
    try:
        client.webhooks.validate(headers=headers, body=body, secret=secret, tolerance=300)
    except WebhookValidationError:
        return False
    return True


def refused(ref: str, input: Json) -> Json:
    try:
        client.run(ref, input=input)
    except ReplicateError as error:
        return {"error": f"failed with status {error.status}: {error.detail}"}
    except ModelError as error:
        return {"error": f"Prediction failed: {error}"}
    return {"error": None}


async def asynchronous(ref: str, inputs: list[Json], streamed: str) -> Json:
    """The asynchronous half of the client: several runs at once, and a stream of the model ``streamed``."""
    outputs = await asyncio.gather(*(client.async_run(ref, input=one) for one in inputs))
    stream = await client.async_stream(streamed, input={"prompt": "the", "max_tokens": 3})
    events = [one.event.value async for one in stream]
    listed = await client.predictions.async_list()
    return {"outputs": outputs, "events": events, "listed": ids(listed.results)}


def main() -> None:
    result = globals()[sys.argv[1]](**json.load(sys.stdin))
    json.dump(asyncio.run(result) if inspect.iscoroutine(result) else result, sys.stdout)


if __name__ == "__main__":
    main()
