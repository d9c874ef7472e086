"""One try of one delivery: its body, its signatures, the post, and what the answer means for the next try."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import uniform

from mutoscope.core.clock import Clock
from mutoscope.replicate_protocol.webhooks import sign
from mutoscope.webhooks.models import WebhookDelivery
from mutoscope.webhooks.posting import Poster, PostFailed, PostRefused
from mutoscope.webhooks.secrets import WebhookSecrets

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_RETRY_S = 3600.0
MAX_ERROR_CHARS = 500
GONE = 410

Render = Callable[[WebhookDelivery], Awaitable[bytes | None]]
"""Makes a delivery's body as things are now; ``None``: there is nothing left to tell."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a try ended.

    Attributes:
        state: What the delivery is after it: ``pending`` if there is to be another try.
        status: The status that was answered, if anything was.
        error: Why it was not delivered.
    """

    state: str
    status: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """Makes tries.

    Attributes:
        render: Who makes the body, by the delivery's kind.
    """

    clock: Clock
    secrets: WebhookSecrets
    poster: Poster
    render: Mapping[str, Render]

    async def attempt(self, delivery: WebhookDelivery) -> Outcome:
        """Send it once, under its ``webhook-id``, signed with every secret that is live."""
        if delivery.attempts > delivery.max_attempts:
            return Outcome("given_up", error="the last try was cut short before its end")
        body = await self.render[delivery.kind](delivery)
        if body is None:
            return Outcome("dropped")
        if len(body) > MAX_BODY_BYTES:
            return Outcome("given_up", error=f"the body has more than {MAX_BODY_BYTES} bytes")
        try:
            status = await self.poster.post(delivery.url, await self._headers(delivery, body), body)
        except PostRefused as refused:
            return Outcome("given_up", error=str(refused))
        except PostFailed as failed:
            return Outcome(_after_failure(delivery), error=str(failed)[:MAX_ERROR_CHARS])
        if 200 <= status < 300:
            return Outcome("delivered", status)
        state = "given_up" if status == GONE else _after_failure(delivery)
        return Outcome(state, status, f"the receiver answered {status}")

    async def _headers(self, delivery: WebhookDelivery, body: bytes) -> dict[str, str]:
        timestamp = int(self.clock.now().timestamp())
        secrets = await self.secrets.signing(delivery.account_id)
        return {
            "Content-Type": "application/json",
            "User-Agent": "mutoscope",
            "webhook-id": delivery.message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(sign(one, delivery.message_id, timestamp, body) for one in secrets),
        }


def retry_s(attempts: int, *, base_s: float) -> float:
    """Seconds until the next try after so many: doubling up to an hour, the last half of it left to chance."""
    return min(MAX_RETRY_S, base_s * 2 ** min(attempts - 1, 20)) * uniform(0.5, 1.0)  # noqa: S311 - spreads load


def _after_failure(delivery: WebhookDelivery) -> str:
    return "given_up" if delivery.attempts >= delivery.max_attempts else "pending"
