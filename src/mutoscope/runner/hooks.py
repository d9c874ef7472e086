"""Sends webhooks as Replicate does: signed, filtered, no redirects, only the terminal one retried.

A delivery is a task of its own, so that a slow receiver delays nobody's prediction. What is owed at a restart is in the
store; faults that concern webhooks are committed here.
"""

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from mutoscope.core.ids import new_id
from mutoscope.replicate_protocol.predictions import WebhookEvent
from mutoscope.replicate_protocol.webhooks import new_webhook_secret, sign
from mutoscope.runner.posting import Poster, PostFailed
from mutoscope.runner.records import Live, Record

UPDATE_INTERVAL_S = 0.5
_RETRIES = 6
_ORDER_PATIENCE_S = 1.0
"""How long a webhook waits for the one before it: a slow receiver must not hold back the news of the end."""
_CONCURRENCY = 128
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Message:
    url: str
    id: str
    body: bytes


class Hooks:
    """The outgoing side of webhooks.

    Args:
        secret: The signing secret.
        retry_s: Delay before the second try of a terminal webhook; it doubles from try to try.
        timeout_s: How long a receiver may take.
        render: Makes the body of a record.
        settled: Called with a prediction's id when its terminal webhook was delivered or given up.
    """

    def __init__(
        self,
        secret: str,
        *,
        retry_s: float,
        timeout_s: float,
        render: Callable[[Record], dict[str, Any]],
        settled: Callable[[str], None],
    ) -> None:
        self._secret = secret
        self._retry_s = retry_s
        self._render = render
        self._settled = settled
        self._poster = Poster(timeout_s)
        self._slots = asyncio.Semaphore(_CONCURRENCY)
        self._tasks: set[asyncio.Task[None]] = set()
        self.counts: Counter[str] = Counter()

    async def aclose(self) -> None:
        """Stop sending; what is owed stays in the store."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._poster.aclose()

    @property
    def pending(self) -> int:
        """Deliveries that have not ended."""
        return len(self._tasks)

    def send(self, live: Live, event: WebhookEvent) -> None:
        """Send the state of now, unless the prediction has no webhook or does not want this event."""
        record = live.record
        if record.webhook is None or event not in record.events:
            return
        message = _Message(record.webhook, new_id("msg"), json.dumps(self._render(record)).encode())
        previous = live.last_delivery
        live.last_delivery = self._spawn(self._deliver(live, event, message, previous))

    def update(self, live: Live, event: WebhookEvent) -> None:
        """Send ``output`` or ``logs``, at most one of them every 500 ms."""
        if live.record.webhook is None or event not in live.record.events or live.pending_update:
            return
        loop = asyncio.get_running_loop()
        wait_s = live.next_update_at - loop.time()
        live.pending_update = loop.call_later(max(0.0, wait_s), self._update_now, live, event)

    def _update_now(self, live: Live, event: WebhookEvent) -> None:
        live.pending_update = None
        if not live.record.terminal:
            live.next_update_at = asyncio.get_running_loop().time() + UPDATE_INTERVAL_S
            self.send(live, event)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A fault of ours ends one delivery: what was not sent is at least told, and stays owed."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("a webhook was not sent by a fault of the runner", exc_info=error)

    async def _deliver(
        self, live: Live, event: WebhookEvent, message: _Message, previous: asyncio.Task[None] | None
    ) -> None:
        faults, terminal = live.faults, event == "completed"
        if previous and not previous.done() and not faults.webhook_reordered:
            await asyncio.wait([previous], timeout=_ORDER_PATIENCE_S)
        if faults.webhook_late_s:
            await asyncio.sleep(faults.webhook_late_s)
        if faults.webhook_reordered and not terminal:
            await live.completed_sent.wait()
        if faults.webhook_forged and not live.forged:
            live.forged = True
            await self._forge(live.record, message)
        if faults.loses(event):
            self.counts["lost"] += 1
        else:
            await self._attempt(message, retries=_RETRIES if terminal else 0)
            if faults.webhook_doubled:
                await self._attempt(message, retries=0)
        live.hooked.set()
        if terminal:
            live.completed_sent.set()
            self._settled(live.record.id)

    async def _forge(self, record: Record, message: _Message) -> None:
        """A lie under a signature that nobody should believe: success, with somebody else's file."""
        lie = {**self._render(record), "status": "succeeded", "output": "https://forged.invalid/out.png", "error": None}
        forged = _Message(message.url, new_id("msg"), json.dumps(lie).encode())
        self.counts["forged"] += 1
        await self._post(forged, new_webhook_secret())

    async def _attempt(self, message: _Message, *, retries: int) -> None:
        for attempt in range(retries + 1):
            if attempt:
                await asyncio.sleep(self._retry_s * 2 ** (attempt - 1))
            if await self._post(message, self._secret):
                self.counts["delivered"] += 1
                return
        self.counts["given_up"] += 1
        _log.warning("gave up a webhook", extra={"url": message.url, "tries": retries + 1})

    async def _post(self, message: _Message, secret: str) -> bool:
        timestamp = int(time.time())
        headers = {
            "content-type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(secret, message.id, timestamp, message.body),
        }
        self.counts["sent"] += 1
        try:
            async with self._slots:
                return 200 <= await self._poster.post(message.url, headers, message.body) < 300
        except PostFailed as failure:
            _log.debug("a webhook failed", extra={"url": message.url, "why": str(failure)})
            return False
