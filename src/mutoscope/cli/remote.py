"""Commands that talk to a running service over HTTP share how they find it."""

from typing import Annotated

import typer

from mutoscope.client import Client
from mutoscope.core.errors import ConfigurationError

Url = Annotated[str, typer.Option(help="Where the service is.", envvar="MUTOSCOPE_URL")]
Key = Annotated[
    str | None, typer.Option(help="An account's key, or an operator's.", envvar="MUTOSCOPE_API_KEY", show_envvar=True)
]
Account = Annotated[str | None, typer.Option(help="With an operator's key: the account to act for.")]

DEFAULT_URL = "http://127.0.0.1:8000"


def connect(url: str, key: str | None) -> Client:
    """A client of the service. Raises ``ConfigurationError`` without a key."""
    return Client(url, needed(key))


def needed(key: str | None) -> str:
    """The key. Raises ``ConfigurationError`` without one."""
    if not key:
        raise ConfigurationError("Set MUTOSCOPE_API_KEY, or --key; `mutoscope keys create --operator` makes one.")
    return key
