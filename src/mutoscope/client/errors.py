"""What can go wrong for a caller of the service."""

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Base of all of them."""


class Unreachable(ClientError):
    """No answer came, however often we tried. With an idempotency key it is safe to try again later."""


class NotMutoscope(ClientError):
    """What answered is no Mutoscope service, or one of a version that this client does not understand."""


class DownloadFailed(ClientError):
    """A file could not be had, or is not the one that was stored."""


class ApiError(ClientError):
    """The service said no.

    Attributes:
        status: The HTTP status.
        code: Stable and machine-readable, such as ``insufficient_credits``.
        title: What kind of problem it is.
        detail: One sentence about this one.
        extra: All other members of the problem, such as ``needed``, ``available`` and ``held``.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", "unknown"))
        self.title = str(problem.get("title", f"HTTP {status}"))
        self.detail = str(problem.get("detail", ""))
        known = {"status", "code", "title", "detail", "type", "instance"}
        self.extra = {name: value for name, value in problem.items() if name not in known}
        super().__init__(f"{self.title} ({status} {self.code}): {self.detail}")
