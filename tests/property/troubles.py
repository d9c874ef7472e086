"""What can go wrong around the services, and a way to notice what goes wrong inside them."""

import logging
from collections.abc import Callable

from mutoscope.providers.base import AnswerLost, CreateRefused, ProviderDown, ProviderError, Throttled
from mutoscope.providers.fake import Call, Turn
from tests.property.shop import Shop

TURNS: dict[str, Callable[[], Turn]] = {
    "answer lost, made": lambda: Turn(1, AnswerLost("lost")),
    "answer lost, not made": lambda: Turn(0, AnswerLost("lost")),
    "throttled": lambda: Turn(0, Throttled("too many", retry_after_s=7)),
    "down": lambda: Turn(0, ProviderDown("down")),
    "refused": lambda: Turn(0, CreateRefused("no")),
    "refused, but made": lambda: Turn(1, CreateRefused("no")),
    "made twice": lambda: Turn(2),
}
ERRORS: dict[str, Callable[[], ProviderError]] = {
    "down": lambda: ProviderDown("down"),
    "throttled": lambda: Throttled("too many", retry_after_s=3),
    "forbidden": lambda: ProviderError("the token was revoked"),
}
CALLS: list[Call] = ["create", "get", "cancel", "recent"]
TROUBLES = [*CALLS, "list empty", "cancels lost", "store down", "store mute", "files broken", "files gone"]


def set_trouble(shop: Shop, what: str, error: ProviderError | None) -> None:
    """Begin a trouble, or with ``None`` end it."""
    on, fake = error is not None, shop.fake
    match what:
        case "list empty":
            fake.lists_nothing = on
        case "cancels lost":
            fake.cancels_nothing = on
        case "store down" | "store mute":
            shop.store.trouble = what if on else ""
        case "files broken" | "files gone":
            shop.files.trouble = what if on else ""
        case "create" | "get" | "cancel" | "recent":
            fake.broken.pop(what, None)
            fake.broken |= {what: error} if error else {}
        case _:
            raise ValueError(what)


class Surprises(logging.Handler):
    """Errors in the log: a step failed for a reason that it does not know."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []
        self._logger = logging.getLogger("mutoscope.generations.advance")
        self._logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        self.found.append(f"{record.getMessage()}: {cause!r}")

    def close(self) -> None:
        self._logger.removeHandler(self)
        super().close()
