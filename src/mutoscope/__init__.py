"""Mutoscope: paid AI generation. The public names are loaded when they are first used, to keep every start light."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mutoscope.client import ApiError, AsyncClient, Client, ClientError, DownloadFailed, Unreachable

__version__ = "0.1.0"

__all__ = ["ApiError", "AsyncClient", "Client", "ClientError", "DownloadFailed", "Unreachable", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'mutoscope' has no attribute {name!r}")
    from mutoscope import client

    return getattr(client, name)
