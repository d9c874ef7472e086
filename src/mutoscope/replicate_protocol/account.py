"""Who a token belongs to, and what hardware there is for it."""

from mutoscope.replicate_protocol.wire import Wire


class Account(Wire):
    """A user or an organization (``type``), as ``GET /v1/account`` shows it."""

    type: str
    username: str
    name: str | None = None
    avatar_url: str | None = None
    github_url: str | None = None


class Hardware(Wire):
    """One entry of ``GET /v1/hardware``; ``sku`` is what models and deployments name."""

    name: str
    sku: str
