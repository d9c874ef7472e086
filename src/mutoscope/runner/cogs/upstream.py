"""One Cog server as a model: sends it one prediction after another, and knows what each answer means."""

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import httpx

from mutoscope.core.errors import ConfigurationError
from mutoscope.replicate_protocol.schemas import JsonSchema
from mutoscope.runner.cogs.inbox import EVENTS, Inbox, Progress
from mutoscope.runner.cogs.outputs import keep_files
from mutoscope.runner.cogs.server import CogServer
from mutoscope.runner.documents import map_strings
from mutoscope.runner.faults import PREEMPTED
from mutoscope.runner.models.base import Job, ModelFailed, Sink

_PATIENCE_S = 0.02
_LONG_PATIENCE_S = 0.25
_NEVER_SENT = "Failed to send request"
_WRAPPING = re.compile(r"^(Prediction failed: )+")  # each layer of Cog puts it before the predictor's own error
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a Cog server needs of the runner.

    Attributes:
        inbox: Where it tells of what runs.
        link: Makes a link without a token of an upload's URL.
        grace_s: How long it may take to end a prediction that was canceled.
    """

    inbox: Inbox
    link: Callable[[str], str]
    grace_s: float


class CogUpstream:
    """The queue before a Cog server.

    Args:
        server: The server.
        places: How many predictions it takes at once.
        surroundings: What it needs of the runner.

    ``left_out`` is what it is given for inputs that are left out: without a schema file Cog does not know that itself.
    """

    def __init__(self, server: CogServer, places: int, surroundings: Surroundings) -> None:
        self._server = server
        self._places = asyncio.Semaphore(places)
        self._alone = places == 1
        self._needs = surroundings
        self.left_out: dict[str, Any] = {}

    async def open(self) -> JsonSchema | None:
        """Make it ready, and read its schema, if it has one. Raises ``ConfigurationError`` if it cannot be used."""
        try:
            await self._server.mend()
            return await self._server.client.schema(self._server.url)
        except (ModelFailed, httpx.HTTPError) as error:
            raise ConfigurationError(str(error)) from error

    async def aclose(self) -> None:
        """Stop it if it was started here."""
        await self._server.aclose()

    async def predict(self, job: Job, sink: Sink) -> Any:
        """Run one prediction when its turn has come. Raises ``ModelFailed``."""
        progress = Progress(sink)
        given = {**self.left_out, **job.input}
        model_input = map_strings(given, lambda text: self._needs.link(text) if text in job.uploads else text)
        await self._places.acquire()
        with self._needs.inbox.expecting(progress) as webhook:
            body = {"input": model_input, "webhook": webhook, "webhook_events_filter": EVENTS}
            try:
                said = await self._perform(job.id, body)
            except asyncio.CancelledError:
                self._server.behind(self._reclaim(job.id))
                raise
            except BaseException:
                self._places.release()
                raise
        self._places.release()
        progress.take({**said, "output": None})
        if said.get("status") != "succeeded":
            error = said.get("error") or f"The Cog server says {said.get('status')!r}."
            raise ModelFailed(_WRAPPING.sub("", str(error)))
        return await asyncio.to_thread(keep_files, job, said.get("output"))

    async def _perform(self, prediction_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send it; once more if the worker was dead before it came there. Raises ``ModelFailed`` if the worker dies."""
        said: dict[str, Any] = {}
        for attempt in range(2):
            said = await self._exchange(prediction_id, body)
            if said.get("status") != "failed" or not await self._server.dead():
                return said
            if attempt or not str(said.get("error")).startswith(_NEVER_SENT):
                break
            _log.warning("a Cog server had no worker for a prediction", extra={"prediction": prediction_id})
            await self._server.mend()
        self._server.behind(self._server.mend_later())
        raise ModelFailed(f"{said.get('error')}: {PREEMPTED}")

    async def _exchange(self, prediction_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send it until it is taken, and wait for its end: a 409 means that it was not taken."""
        patience_s = _PATIENCE_S
        while True:
            url = await self._server.settled_url()
            try:
                answer = await self._server.client.predict(url, prediction_id, body)
            except httpx.ConnectError:
                await self._server.mend()
                continue
            except httpx.HTTPError as error:
                self._server.behind(self._server.mend_later())
                raise ModelFailed(f"The Cog server has gone away: {PREEMPTED}") from error
            if answer.status_code != 409:
                return _said(answer)
            if await self._server.dead():
                await self._server.mend()
            await asyncio.sleep(patience_s)
            patience_s = min(_LONG_PATIENCE_S, patience_s * 2)

    async def _reclaim(self, prediction_id: str) -> None:
        """Free the place of a prediction that was canceled: its program may not listen, and then its server goes."""
        try:
            await self._server.client.cancel(self._server.url, prediction_id)
            await self._server.free(self._needs.grace_s, force=self._alone)
        finally:
            self._places.release()


def _said(answer: httpx.Response) -> dict[str, Any]:
    """Cog's words about a prediction. Raises ``ModelFailed`` if these are others."""
    try:
        said: object = answer.json()
    except ValueError:
        said = None
    if answer.status_code == 422:
        raise ModelFailed(f"The Cog server refused the input: {answer.text[:2000]}")
    if not answer.is_success or not isinstance(said, dict):
        raise ModelFailed(f"The Cog server answered {answer.status_code}: {answer.text[:2000]}")
    return cast("dict[str, Any]", said)
