"""Looks after one Cog server: is it ready, is it dead, and if it is ours, start it anew.

A Cog server whose worker has died says ``UNHEALTHY`` and stays so for ever; only a new process helps.
"""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from mutoscope.runner.cogs.client import CogClient
from mutoscope.runner.cogs.process import CogProcess
from mutoscope.runner.models.base import ModelFailed

START_TIMEOUT_S = 120
_LOOK_S = 0.25
_LOOK_OFTEN_S = 0.02
_MAX_STARTS = 2
_READY = {"READY", "BUSY"}
_DEAD = {"UNHEALTHY", "DEFUNCT", "SETUP_FAILED"}
_log = logging.getLogger(__name__)


class CogServer:
    """A Cog server, which is started here if there is a command, or found at a URL.

    Args:
        name: The full name of its model, for the log.
        url: Where it is; empty if it is started here.
        command: What starts it; empty if somebody else does.
    """

    def __init__(self, name: str, url: str, command: str) -> None:
        self._name = name
        self._url = url.rstrip("/")
        self._process = CogProcess(command) if command else None
        self._mending = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self.client = CogClient()

    @property
    def url(self) -> str:
        """Where it is now."""
        return self._process.url if self._process else self._url

    async def settled_url(self) -> str:
        """Where it is, not before a start that is under way has ended."""
        async with self._mending:
            return self.url

    async def aclose(self) -> None:
        """Stop it if it was started here."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.client.aclose()
        if self._process:
            await self._process.stop()

    async def dead(self) -> bool:
        """Whether it will not take another prediction as it is."""
        return await self._health() not in _READY | {"STARTING"}

    async def mend(self) -> None:
        """Make it ready. Raises ``ModelFailed`` if it cannot be, or not in time."""
        async with self._mending:
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    await self._until_ready()
            except TimeoutError as error:
                if self._process:
                    await self._process.stop()
                late = f"The Cog server at {self.url} did not get ready within {START_TIMEOUT_S} s."
                raise ModelFailed(late) from error

    async def free(self, grace_s: float, *, force: bool) -> None:
        """Wait until nothing runs on it. What still runs after ``grace_s`` is left, or by ``force`` ended with it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                while await self._health() == "BUSY":  # noqa: ASYNC110 - it tells nobody when it is done
                    await asyncio.sleep(_LOOK_OFTEN_S)
                return
        if self._process and force:
            _log.warning("a Cog server did not cancel and is ended", extra={"model": self._name})
            async with self._mending:
                await self._process.stop()
            await self.mend_later()

    async def mend_later(self) -> None:
        """As ``mend``, when nobody waits for it: what cannot be done is only logged."""
        try:
            await self.mend()
        except ModelFailed as error:
            _log.warning("a Cog server is not ready", extra={"model": self._name, "why": error.detail})

    def behind(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that nobody waits for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _health(self) -> str:
        return await self.client.health(self.url) if self.url else "GONE"

    async def _until_ready(self) -> None:
        starts = 0
        while (health := await self._health()) not in _READY:
            if self._process and (health in _DEAD or not self._process.alive):
                if starts == _MAX_STARTS or (starts and health == "SETUP_FAILED"):
                    raise ModelFailed(f"The Cog server was started anew and is {health} again; its log says why.")
                starts += 1
                _log.warning("a Cog server is started", extra={"model": self._name, "health": health})
                await self._process.stop()
                await self._process.start()
            elif health in _DEAD:
                raise ModelFailed(
                    f"The Cog server at {self.url} is {health}: it does not recover by itself, so restart it.",
                )
            await asyncio.sleep(_LOOK_S)
