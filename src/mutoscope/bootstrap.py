"""The only place that names concrete adapters: settings in, running parts out."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

import httpx

from mutoscope.accounts.service import Accounts
from mutoscope.catalog.service import Catalog
from mutoscope.core.clock import Clock, SystemClock
from mutoscope.core.data_dir import kept_secret, usable
from mutoscope.core.errors import ConfigurationError
from mutoscope.core.killpoints import KillAt, NoKillPoints
from mutoscope.core.settings import Settings
from mutoscope.db import migrate
from mutoscope.db.engine import Database
from mutoscope.engines.chores import Chores, expire_lots, forget_messages
from mutoscope.engines.embedded import EmbeddedEngine
from mutoscope.generations.admission import Limits
from mutoscope.generations.machine import Machine, Policy
from mutoscope.generations.pacing import Pace
from mutoscope.generations.ports import Bell
from mutoscope.generations.service import Generations
from mutoscope.generations.signals import Signals
from mutoscope.providers.replicate import Replicate
from mutoscope.storage.base import ObjectStore
from mutoscope.storage.fetch import HttpSource
from mutoscope.storage.hosts import HostList
from mutoscope.storage.links import LinkSigner
from mutoscope.storage.local import LocalStore
from mutoscope.storage.objects import ObstoreStore
from mutoscope.storage.s3 import S3Settings
from mutoscope.storage.sources import SourceRefused

log = logging.getLogger(__name__)

CALLBACK_PATH = "/callbacks/{provider}"
PROVIDER = "replicate"
FILE_CONNECTIONS = 16
# Stricter than RFC 2397, which would take "data: …" in a text for a file.
DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+[^,\s]*,")


@dataclass(frozen=True, slots=True)
class Runtime:
    """The running parts of one process."""

    settings: Settings
    clock: Clock
    database: Database
    accounts: Accounts
    catalog: Catalog
    generations: Generations
    machine: Machine
    engine: EmbeddedEngine
    chores: Chores
    signals: Signals
    bell: Bell
    provider: Replicate
    store: ObjectStore
    links: LinkSigner


@asynccontextmanager
async def open_runtime(settings: Settings, *, base_url: str = "http://127.0.0.1:8000") -> AsyncGenerator[Runtime]:
    """Connect everything, without starting the engine. Closes it all again at the end of the block.

    Args:
        settings: All settings.
        base_url: Where this process is reached, for links to local files when no public URL is set.

    Raises:
        ConfigurationError: The settings do not fit together, or the schema is not the one this code needs.
    """
    async with AsyncExitStack() as stack:
        clock = SystemClock()
        database = Database(settings.database, pool_size=settings.database_pool)
        stack.push_async_callback(database.aclose)
        await check_schema(database)
        provider = open_provider(settings)
        stack.push_async_callback(provider.aclose)
        links = open_links(settings, base_url)
        store = open_store(settings, links)
        stack.push_async_callback(store.aclose)
        http = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=FILE_CONNECTIONS))
        stack.push_async_callback(http.aclose)
        file_hosts = (*settings.replicate_file_hosts, urlsplit(settings.replicate_base_url).netloc)
        signals = Signals()
        bell = await _bell(stack, database, signals)
        machine = Machine(
            database=database,
            clock=clock,
            providers={PROVIDER: provider},
            store=store,
            open_source=HttpSource(http, file_hosts).stream,
            is_file=_is_file(HostList(file_hosts)),
            bell=bell,
            policy=_policy(settings),
            pace=Pace(settings.admission.polls_per_minute, settings.admission.net_polls_per_minute),
            kill=KillAt(settings.kill_at) if settings.kill_at else NoKillPoints(),
        )
        runtime = _runtime(settings, machine, signals, provider, links)
        stack.push_async_callback(runtime.catalog.aclose)
        yield runtime


def _runtime(settings: Settings, machine: Machine, signals: Signals, provider: Replicate, links: LinkSigner) -> Runtime:
    database, clock = machine.database, machine.clock
    catalog = Catalog(database, clock, settings.models, provider.openapi_schema)
    return Runtime(
        settings=settings,
        clock=clock,
        database=database,
        accounts=Accounts(database, clock),
        catalog=catalog,
        generations=Generations(database, clock, catalog, machine.bell, signals, PROVIDER, machine.kill),
        machine=machine,
        engine=EmbeddedEngine(machine, {PROVIDER: _limits(settings)}, signals, settings.engine),
        chores=_chores(settings, database, clock, provider),
        signals=signals,
        bell=machine.bell,
        provider=provider,
        store=machine.store,
        links=links,
    )


@asynccontextmanager
async def running(runtime: Runtime) -> AsyncGenerator[asyncio.Task[None]]:
    """Run the engine and the chores for the length of the block; at its end, what is under way is finished.

    Gives the engine's task. It never ends by itself, unless something is wrong that nobody foresaw; that is logged,
    and whoever owns the process should end it, so that it is started afresh.
    """
    engine = asyncio.create_task(runtime.engine.run(), name="engine")
    engine.add_done_callback(_report_end)
    chores = asyncio.create_task(runtime.chores.run(), name="chores")
    try:
        yield engine
    finally:
        runtime.engine.stop()
        await asyncio.wait({engine})
        await _cancel(chores)


def _report_end(engine: asyncio.Task[None]) -> None:
    """It returns only when it was asked to stop; any other end is said aloud."""
    error = None if engine.cancelled() else engine.exception()
    if engine.cancelled() or error:
        log.critical("the engine has ended by itself: nothing moves generations here any more", exc_info=error)


def callback_url(public_url: str, provider: str) -> Callable[[str], str]:
    """How a ref becomes the URL that the provider is told to call."""
    base = public_url.rstrip("/") + CALLBACK_PATH.format(provider=provider)
    return lambda ref: f"{base}?{urlencode({'ref': ref})}"


async def check_schema(database: Database) -> None:
    """Raises ``ConfigurationError`` unless the database has the schema of this version."""
    found = await migrate.current(database)
    if found != migrate.head():
        raise ConfigurationError(
            f"The database's schema is {found or 'empty'}, and this version needs {migrate.head()}: "
            "run `mutoscope migrate`."
        )


def open_provider(settings: Settings) -> Replicate:
    """The provider of the settings. Raises ``ConfigurationError`` without a token."""
    if settings.replicate_api_token is None:
        raise ConfigurationError(
            "REPLICATE_API_TOKEN is not set. Set it; or start `mutoscope runner`, set REPLICATE_BASE_URL to its "
            "address and REPLICATE_API_TOKEN to its token."
        )
    secret = settings.replicate_webhook_secret
    return Replicate(
        settings.replicate_base_url,
        settings.replicate_api_token.get_secret_value(),
        webhook_secrets=[secret.get_secret_value()] if secret else [],
        webhook_tolerance_s=settings.webhook_tolerance_s,
    )


def open_links(settings: Settings, base_url: str) -> LinkSigner:
    """Signs links to files of the local disk."""
    return LinkSigner(_secret(settings).encode(), settings.public_url or base_url)


def _secret(settings: Settings) -> str:
    """The signing secret; in development one is made and kept beside the data."""
    if settings.secret:
        return settings.secret.get_secret_value()
    return kept_secret(settings.data_dir)


def open_store(settings: Settings, links: LinkSigner) -> ObjectStore:
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
        )
    )


def _is_file(hosts: HostList) -> Callable[[str], bool]:
    """Which strings of an output are files: data URIs, and URLs of the provider. Other links are just text."""

    def is_file(text: str) -> bool:
        if DATA_URI.match(text):
            return True
        if not text.startswith(("https://", "http://")):
            return False
        try:
            hosts.check(text)
        except SourceRefused:
            return False
        return True

    return is_file


async def _bell(stack: AsyncExitStack, database: Database, signals: Signals) -> Bell:
    if database.is_sqlite:
        return signals
    from mutoscope.engines.notify import PostgresBell  # needs the extra `postgres`

    bell = PostgresBell(database.url.set(drivername="postgresql").render_as_string(hide_password=False), signals)
    task = asyncio.create_task(bell.run(), name="bell")
    stack.push_async_callback(_cancel, task)
    return bell


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _policy(settings: Settings) -> Policy:
    return Policy(
        lease=timedelta(seconds=settings.engine.lease_s),
        doubt_window=timedelta(seconds=settings.doubt_window_s),
        unreachable_grace=timedelta(seconds=settings.unreachable_grace_s),
        expiry_grace_s=settings.expiry_grace_s,
        storage_prefix=settings.storage_prefix,
        webhook_url=callback_url(settings.public_url, PROVIDER) if settings.public_url else None,
    )


def _limits(settings: Settings) -> Limits:
    caps = {alias: m.max_in_flight for alias, m in settings.models.items() if m.max_in_flight}
    return Limits(settings.admission, caps)


def _chores(settings: Settings, database: Database, clock: Clock, provider: Replicate) -> Chores:
    chores = [expire_lots(database, clock), forget_messages(database, clock)]
    if settings.webhooks_on and settings.replicate_webhook_secret is None:
        chores.insert(0, provider.learn_webhook_secret)
    return Chores(chores)
