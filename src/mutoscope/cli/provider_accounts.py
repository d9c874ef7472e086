"""The provider's accounts as the checks of ``mutoscope doctor`` use them: opened for one check, and named."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from mutoscope.adapters import PROVIDER, open_providers
from mutoscope.core.settings import Settings
from mutoscope.providers.replicate import Replicate


@asynccontextmanager
async def opened(settings: Settings) -> AsyncGenerator[Mapping[str, Replicate]]:
    """All of them, by their names, for the length of the block. Raises ``ConfigurationError`` without a token."""
    providers = open_providers(settings)
    try:
        yield providers
    finally:
        for one in providers.values():
            await one.aclose()


def of_account(check: str, replicate: Replicate) -> str:
    """What a check is called for this account: just its name for the main one."""
    return check if replicate.name == PROVIDER else f"{check} {replicate.name}"
