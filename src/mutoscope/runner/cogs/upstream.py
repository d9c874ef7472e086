"""One Cog server as a model: sends it one prediction after another, and knows what each kind of trouble means."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import httpx

from mutoscope.core.errors import ConfigurationError
from mutoscope.replicate_protocol.schemas import JsonSchema
from mutoscope.runner.cogs.client import CogClient
from mutoscope.runner.cogs.inbox import EVENTS, Inbox, Progress
from mutoscope.runner.cogs.outputs import keep_files
from mutoscope.runner.cogs.process import CogProcess
from mutoscope.runner.documents import map_strings
from mutoscope.runner.faults import PREEMPTED
from mutoscope.runner.models.base import Job, ModelFailed, Sink

START_TIMEOUT_S = 120
_PATIENCE_S = 0.02
_LONG_PATIENCE_S = 0.25
_NEVER_SENT = "Failed to send request"
_DEAD = {"UNHEALTHY", "DEFUNCT", "SETUP_FAILED", "GONE"}
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
    """A Cog server, which the runner starts if there is a command, or finds at a URL.

    Args:
        name: The model's full name.
        url: Where it is; empty if it is started here.
        command: What starts it; empty if somebody else does.
        places: How many predictions it takes at once.
        surroundings: What it needs of the runner.

    ``left_out`` is what it is given for inputs that are left out: without a schema file Cog does not know that itself.
    """

    def __init__(self, name: str, url: str, command: str, places: int, surroundings: Surroundings) -> None:
        self._name = name
        self._url = url.rstrip("/")
        self._process = CogProcess(command) if command else None
        self._inbox = surroundings.inbox
        self._link = surroundings.link
        self._grace_s = surroundings.grace_s
        self._places = asyncio.Semaphore(places)
        self._alone = places == 1
        self._client = CogClient()
        self._mending = asyncio.Lock()
        self.left_out: dict[str, Any] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it is now."""
        return self._process.url if self._process else self._url

    async def open(self) -> JsonSchema | None:
        """Start it if that is ours to do, wait until it is ready, and read its schema, if it has one.

        Raises:
            ConfigurationError: It cannot be used; the text says why.
        """
        try:
            await self._mend()
            return await self._client.schema(self.url)
        except (ModelFailed, httpx.HTTPError) as error:
            await self.aclose()
            raise ConfigurationError(f"The model {self._name} cannot be offered: {error}") from error

    async def aclose(self) -> None:
        """Stop it if it was started here."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()
        if self._process:
            await self._process.stop()

    async def predict(self, job: Job, sink: Sink) -> Any:
        """Run one prediction when its turn has come. Raises ``ModelFailed``."""
        progress = Progress(sink)
        given = {**self.left_out, **job.input}
        model_input = map_strings(given, lambda text: self._link(text) if text in job.uploads else text)
        await self._places.acquire()
        with self._inbox.expecting(progress) as webhook:
            body = {"input": model_input, "webhook": webhook, "webhook_events_filter": EVENTS}
            try:
                said = await self._perform(job.id, body)
            except asyncio.CancelledError:
                self._behind(self._reclaim(job.id))
                raise
            except BaseException:
                self._places.release()
                raise
        self._places.release()
        progress.take({**said, "output": None})
        if said.get("status") != "succeeded":
            raise ModelFailed(str(said.get("error") or f"The Cog server says {said.get('status')!r}."))
        return await asyncio.to_thread(keep_files, job, said.get("output"))

    async def _perform(self, prediction_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send it; once more if the worker was dead before it came there. Raises ``ModelFailed`` if the worker dies."""
        said: dict[str, Any] = {}
        for attempt in range(2):
            said = await self._exchange(prediction_id, body)
            if said.get("status") != "failed" or await self._client.health(self.url) not in _DEAD:
                return said
            if attempt or not str(said.get("error")).startswith(_NEVER_SENT):
                break
            _log.warning("a Cog server had no worker for a prediction", extra={"model": self._name})
            await self._mend()
        self._behind(self._mend_later())
        raise ModelFailed(f"{said.get('error')}: {PREEMPTED}")

    async def _exchange(self, prediction_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send it until it is taken, and wait for its end: a 409 means that it was not taken."""
        patience_s = _PATIENCE_S
        while True:
            async with self._mending:  # never send to a server that is about to be replaced
                url = self.url
            try:
                answer = await self._client.predict(url, prediction_id, body)
            except httpx.ConnectError:
                await self._mend()
                continue
            except httpx.HTTPError as error:
                self._behind(self._mend_later())
                raise ModelFailed(f"The Cog server has gone away: {PREEMPTED}") from error
            if answer.status_code != 409:
                return _said(answer)
            if await self._client.health(self.url) in _DEAD:
                await self._mend()
            await asyncio.sleep(patience_s)
            patience_s = min(_LONG_PATIENCE_S, patience_s * 2)

    async def _mend(self) -> None:
        """Make it ready. Raises ``ModelFailed`` if it cannot be, or not in time."""
        async with self._mending:
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    await self._until_ready()
            except TimeoutError as error:
                late = f"The Cog server at {self.url} did not get ready within {START_TIMEOUT_S} s."
                raise ModelFailed(late) from error

    async def _until_ready(self) -> None:
        started = 0
        while (health := await self._client.health(self.url) if self.url else "GONE") not in {"READY", "BUSY"}:
            if self._process and (health in _DEAD - {"GONE"} or not self._process.alive):
                if started == 2 or (started and health == "SETUP_FAILED"):
                    raise ModelFailed(f"The Cog server was started anew and is {health} again; its log says why.")
                started += 1
                _log.warning("a Cog server is started", extra={"model": self._name, "health": health})
                await self._process.stop()
                await self._process.start()
            elif not self._process and health in _DEAD - {"GONE"}:
                raise ModelFailed(
                    f"The Cog server at {self.url} is {health}: it does not recover by itself, so restart it.",
                )
            await asyncio.sleep(_LONG_PATIENCE_S)

    async def _reclaim(self, prediction_id: str) -> None:
        """Free the place of a prediction that was canceled: its program may not listen, and then its server goes."""
        try:
            await self._client.cancel(self.url, prediction_id)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._grace_s):
                    while await self._client.health(self.url) == "BUSY":  # noqa: ASYNC110 - it tells nobody
                        await asyncio.sleep(_PATIENCE_S)
                    return
            if self._process and self._alone:
                _log.warning("a Cog server did not cancel and is ended", extra={"model": self._name})
                async with self._mending:
                    await self._process.stop()
                await self._mend_later()
        finally:
            self._places.release()

    async def _mend_later(self) -> None:
        try:
            await self._mend()
        except ModelFailed as error:
            _log.warning("a Cog server is not ready", extra={"model": self._name, "why": error.detail})

    def _behind(self, work: Any) -> None:
        """Do something that nobody waits for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


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
