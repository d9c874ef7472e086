"""Errors that carry their own meaning: a stable code, an HTTP status and whether trying again can help.

Only ``api/problems.py`` turns them into HTTP (RFC 9457) and only ``cli`` into exit codes; everybody else raises them.
"""

from typing import Any, ClassVar


class MutoscopeError(Exception):
    """Base of every error a caller is meant to see.

    Args:
        detail: One sentence: what is wrong, where, and what to do about it.
        **extra: Members added to the problem document (for example ``needed=3``).
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong on our side"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class InvalidRequest(MutoscopeError):
    """The request cannot be understood or breaks a rule; nothing was done."""

    status, code, title = 422, "invalid_request", "The request is not valid"


class Unauthenticated(MutoscopeError):
    """No key, or one that is unknown, expired or revoked."""

    status, code, title = 401, "unauthenticated", "A valid API key is needed"


class Forbidden(MutoscopeError):
    """The key is good but its scope does not reach this."""

    status, code, title = 403, "forbidden", "This key may not do that"


class NotFound(MutoscopeError):
    """There is no such thing, or it belongs to somebody else."""

    status, code, title = 404, "not_found", "Not found"


class Conflict(MutoscopeError):
    """The state of the thing forbids what was asked."""

    status, code, title = 409, "conflict", "The request conflicts with the current state"


class Unavailable(MutoscopeError):
    """Something we need is down; nothing was accepted or charged."""

    status, code, title, retryable = 503, "unavailable", "Temporarily unavailable", True


class PartEnded(MutoscopeError):
    """A part of the process that should run for as long as it does has ended by itself; the process must too."""

    code, title = "part_ended", "A part of the service ended by itself"


class ConfigurationError(MutoscopeError):
    """The settings cannot work; raised at start, never while serving."""

    status, code, title = 500, "configuration_error", "The configuration is not valid"
