"""A typed client of the service, light: httpx and pydantic, and nothing of the server."""

from mutoscope.client.aio import AsyncClient
from mutoscope.client.errors import ApiError, ClientError, DownloadFailed, NotMutoscope, Unreachable
from mutoscope.client.shapes import (
    Account,
    Balance,
    Credits,
    Failure,
    File,
    Generation,
    Key,
    Lot,
    Model,
    NewKey,
    Progress,
    Quote,
    Transfer,
)
from mutoscope.client.sync import Client

__all__ = [
    "Account",
    "ApiError",
    "AsyncClient",
    "Balance",
    "Client",
    "ClientError",
    "Credits",
    "DownloadFailed",
    "Failure",
    "File",
    "Generation",
    "Key",
    "Lot",
    "Model",
    "NewKey",
    "NotMutoscope",
    "Progress",
    "Quote",
    "Transfer",
    "Unreachable",
]
