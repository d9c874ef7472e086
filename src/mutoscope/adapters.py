"""The only place that names concrete adapters of providers and storage: settings in, ports out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from mutoscope.catalog.owners import Owners
from mutoscope.catalog.service import Catalog, Unlisted
from mutoscope.core.clock import Clock
from mutoscope.core.data_dir import kept_secret, usable
from mutoscope.core.errors import ConfigurationError
from mutoscope.core.settings import Settings
from mutoscope.db import Database
from mutoscope.providers.budget import UNLISTED, Budget, take
from mutoscope.providers.replicate import Replicate
from mutoscope.providers.tokens import Tokens
from mutoscope.replicate_protocol.references import parse_reference
from mutoscope.storage.base import ObjectStore
from mutoscope.storage.links import LinkSigner
from mutoscope.storage.local import LocalStore
from mutoscope.storage.objects import ObstoreStore
from mutoscope.storage.s3 import S3Settings

PROVIDER = "replicate"


def open_providers(settings: Settings) -> dict[str, Replicate]:
    """The provider accounts of the settings by name, the main one first.

    Raises:
        ConfigurationError: There is none, because no token is set.
    """
    if not settings.account_names:
        raise ConfigurationError(
            "REPLICATE_API_TOKEN is not set. Set it; or start `mutoscope runner`, set REPLICATE_BASE_URL to its "
            "address and REPLICATE_API_TOKEN to its token."
        )
    found: dict[str, Replicate] = {}
    if PROVIDER in settings.account_names:
        found[PROVIDER] = _replicate(settings, PROVIDER, _main_tokens(settings), settings.replicate_webhook_secret)
    for name, account in settings.replicate_accounts.items():
        tokens = _tokens(account.api_tokens, account.api_token_file)
        found[name] = _replicate(settings, name, tokens, account.webhook_secret)
    return found


def _main_tokens(settings: Settings) -> Tokens:
    newest = [settings.replicate_api_token] if settings.replicate_api_token else []
    return _tokens([*newest, *settings.replicate_old_api_tokens], settings.replicate_api_token_file)


def _tokens(given: Sequence[SecretStr], file: Path | None) -> Tokens:
    return Tokens([one.get_secret_value() for one in given], file)


def _replicate(settings: Settings, name: str, tokens: Tokens, secret: SecretStr | None) -> Replicate:
    return Replicate(
        settings.replicate_base_url,
        tokens,
        name=name,
        webhook_secrets=[secret.get_secret_value()] if secret else [],
        webhook_tolerance_s=settings.webhook_tolerance_s,
    )


def open_catalog(
    settings: Settings, database: Database, clock: Clock, owners: Owners, providers: Mapping[str, Replicate]
) -> Catalog:
    """The models of the settings, whose schemas are asked of the accounts that may run them."""

    async def fetch(reference: str) -> dict[str, Any]:
        return await providers[owners.of(parse_reference(reference))].openapi_schema(reference)

    default, budget = settings.default_model, Budget(UNLISTED)
    unlisted = Unlisted(default, lambda: take(clock.now(), budget)) if default else None
    return Catalog(database, clock, settings.models, fetch, unlisted=unlisted)


def open_links(settings: Settings, base_url: str) -> LinkSigner:
    """Signs links to files of the local disk."""
    return LinkSigner(_secret(settings).encode(), settings.public_url or base_url)


def _secret(settings: Settings) -> str:
    """The signing secret; in development one is made and kept beside the data."""
    return settings.secret.get_secret_value() if settings.secret else kept_secret(settings.data_dir)


def open_store(settings: Settings, links: LinkSigner, *, max_transfers: int = 4) -> ObjectStore:
    """The bucket of the settings, or the local disk."""
    if settings.aws_s3_bucket_name is None:
        with usable(settings.data_dir):
            return LocalStore(settings.data_dir / "files", links)
    secret, token = settings.aws_secret_access_key, settings.aws_session_token
    return ObstoreStore(
        S3Settings(
            bucket=settings.aws_s3_bucket_name,
            region=settings.aws_region,
            endpoint=settings.aws_endpoint_url,
            access_key_id=settings.aws_access_key_id,
            secret_access_key=secret.get_secret_value() if secret else None,
            session_token=token.get_secret_value() if token else None,
            public_base_url=settings.storage_public_url,
        ),
        max_transfers=max_transfers,
    )
