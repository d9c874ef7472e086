"""How to get to an S3 bucket: the settings, the obstore client made of them, and what its errors mean to us."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from mutoscope.core.errors import ConfigurationError, MutoscopeError
from mutoscope.storage.base import ObjectExists, StorageError
from mutoscope.storage.hosts import is_loopback

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

_RETRY: "RetryConfig" = {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where a bucket is and how to get in.

    Attributes:
        bucket: Its name; it must exist.
        region: Where it is; ``us-east-1`` suits most servers that are not AWS.
        endpoint: The address of a server that is not AWS; plain ``http`` only on this machine.
        access_key_id, secret_access_key, session_token: Without them the machine's own role is asked, as AWS tools do.
        path_style: The bucket in the path instead of the host name; what most servers that are not AWS want.
        public_base_url: Set if the bucket is served to everybody there: links are then plain and do not expire.
    """

    bucket: str
    region: str = "us-east-1"
    endpoint: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    path_style: bool = True
    public_base_url: str | None = None


def s3_client(settings: S3Settings) -> S3Store:
    """A client of the bucket. Raises ``ConfigurationError``."""
    config: S3Config = {"region": settings.region}
    config["virtual_hosted_style_request"] = not settings.path_style
    if settings.endpoint is not None:
        config["endpoint"] = _endpoint(settings)
    if settings.access_key_id is not None and settings.secret_access_key is not None:
        config["access_key_id"], config["secret_access_key"] = settings.access_key_id, settings.secret_access_key
    if settings.session_token is not None:
        config["session_token"] = settings.session_token
    options: ClientConfig = {"connect_timeout": "10s", "read_timeout": "60s", "timeout": "1h"}
    options["allow_http"] = settings.endpoint is not None and settings.endpoint.startswith("http://")
    try:
        return S3Store(settings.bucket, config=config, client_options=options, retry_config=_RETRY)
    except BaseError as wrong:
        raise ConfigurationError(f"The S3 settings cannot work: {_first_line(wrong)}") from wrong


def _endpoint(settings: S3Settings) -> str:
    parts = urlsplit(settings.endpoint or "")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ConfigurationError(f"The S3 endpoint {settings.endpoint} is plain http on another machine. Use https.")
    if settings.path_style:
        return parts.geturl()
    return parts._replace(netloc=f"{settings.bucket}.{parts.netloc}").geturl()


@contextmanager
def translated(key: str, *, absent: type[MutoscopeError] = StorageError) -> Generator[None]:
    """No error of obstore leaves this module; ``absent`` is what "not found" means: the object, or else the bucket."""
    try:
        yield
    except AlreadyExistsError as exists:
        raise ObjectExists(f"There is an object under {key} already.") from exists
    except FileNotFoundError as missing:
        raise absent(f"The store has no {key}, or there is no such bucket.") from missing
    except (PermissionDeniedError, UnauthenticatedError) as refused:
        raise StorageError(f"The store refused our credentials for {key}: {_first_line(refused)}") from refused
    except (BaseError, OSError) as failed:
        raise StorageError(f"The store failed on {key}: {_first_line(failed)}") from failed


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300] or type(error).__name__
