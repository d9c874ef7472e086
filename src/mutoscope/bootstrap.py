"""Settings in, running parts out: puts the rooms together. The adapters are made in ``adapters``."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

import httpx

from mutoscope import driving
from mutoscope.accounts.service import Accounts
from mutoscope.adapters import open_catalog, open_links, open_providers, open_store
from mutoscope.catalog.entries import Entries
from mutoscope.catalog.owners import Owners
from mutoscope.catalog.service import Catalog
from mutoscope.core.clock import Clock, SystemClock
from mutoscope.core.errors import ConfigurationError
from mutoscope.core.killpoints import KillAt, KillPoints, NoKillPoints
from mutoscope.core.settings import Settings
from mutoscope.db import migrate
from mutoscope.db.engine import Database
from mutoscope.driving import Drive, Parts, chores_of, limits_of, own_chores_of
from mutoscope.generations.admission import Limits
from mutoscope.generations.as_prediction import PredictionBodies
from mutoscope.generations.copies import Copies
from mutoscope.generations.inputs import InputFiles
from mutoscope.generations.machine import Machine, Policy
from mutoscope.generations.pacing import Pace
from mutoscope.generations.placement import Placement
from mutoscope.generations.ports import Bell
from mutoscope.generations.service import Generations
from mutoscope.generations.signals import Signals
from mutoscope.generations.streams.service import Streams
from mutoscope.generations.telling import KIND
from mutoscope.providers.pages import ProviderPages
from mutoscope.providers.replicate import Replicate
from mutoscope.storage.base import ObjectStore
from mutoscope.storage.fetch import HttpSource
from mutoscope.storage.hosts import HostList
from mutoscope.storage.links import LinkSigner
from mutoscope.uploads.service import Uploads
from mutoscope.webhooks.courier import Courier
from mutoscope.webhooks.posting import Poster
from mutoscope.webhooks.secrets import WebhookSecrets
from mutoscope.webhooks.sending import Sender

log = logging.getLogger(__name__)

CALLBACK_PATH = "/callbacks/{provider}"
DRIVES = {"embedded": driving.embedded, "inngest": driving.inngest}
FILE_CONNECTIONS = 16


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
    drive: Drive
    signals: Signals
    bell: Bell
    provider: Replicate
    store: ObjectStore
    links: LinkSigner
    pages: ProviderPages
    webhook_secrets: WebhookSecrets
    courier: Courier
    uploads: Uploads
    streams: Streams


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
        providers = open_providers(settings)
        for provider in providers.values():
            stack.push_async_callback(provider.aclose)
        links = open_links(settings, base_url)
        store = open_store(settings, links)
        stack.push_async_callback(store.aclose)
        # Uploads come as slowly as their senders like: with a store of their own they hold up no result.
        uploads_store = open_store(settings, links, max_transfers=settings.uploads.max_parallel)
        stack.push_async_callback(uploads_store.aclose)
        http = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=FILE_CONNECTIONS))
        stack.push_async_callback(http.aclose)
        file_hosts = (*settings.replicate_file_hosts, urlsplit(settings.replicate_base_url).netloc)
        signals = Signals()
        bell = await _bell(stack, database, signals)
        kill = KillAt(settings.kill_at) if settings.kill_at else NoKillPoints()
        machine = Machine(
            database=database,
            clock=clock,
            providers=providers,
            store=store,
            open_source=HttpSource(http, file_hosts).stream,
            is_file=HostList(file_hosts).names_file,
            bell=bell,
            policy=_policy(settings),
            pace=Pace(settings.admission.polls_per_minute, settings.admission.net_polls_per_minute),
            inputs=_input_files(settings, database, clock, uploads_store, kill),
            kill=kill,
        )
        poster = Poster(timeout_s=settings.webhooks.timeout_s, public_only=settings.environment == "production")
        stack.push_async_callback(poster.aclose)
        runtime = _runtime(settings, _Opened(machine, signals, providers, links, poster, base_url))
        stack.push_async_callback(runtime.catalog.aclose)
        stack.push_async_callback(runtime.pages.aclose)
        stack.push_async_callback(runtime.streams.aclose)
        yield runtime


@dataclass(frozen=True, slots=True)
class _Opened:
    """What is open, and what was told of this process."""

    machine: Machine
    signals: Signals
    providers: Mapping[str, Replicate]
    links: LinkSigner
    poster: Poster
    base_url: str


def _runtime(settings: Settings, opened: _Opened) -> Runtime:
    machine, signals, providers, links = opened.machine, opened.signals, opened.providers, opened.links
    database, clock = machine.database, machine.clock
    owners = Owners(Entries(settings.models).all(), main=next(iter(providers)))
    catalog = open_catalog(settings, database, clock, owners, providers)
    limits = {name: limits_of(settings, name) for name in providers}
    uploads = machine.inputs.uploads
    generations = Generations(
        database,
        clock,
        catalog,
        machine.bell,
        signals,
        kill=machine.kill,
        inputs=machine.inputs,
        placement=Placement({name: one.settings.creates_per_minute for name, one in limits.items()}),
    )
    webhook_secrets = WebhookSecrets(database, clock, machine.kill)
    sender = Sender(clock, webhook_secrets, opened.poster, {KIND: PredictionBodies(generations, links).render})
    courier = Courier(database, clock, sender, settings.webhooks, machine.kill)
    signals.on_change(courier.ring)
    return Runtime(
        settings=settings,
        clock=clock,
        database=database,
        accounts=Accounts(database, clock),
        catalog=catalog,
        generations=generations,
        machine=machine,
        drive=DRIVES[settings.engine.kind](_parts(settings, opened, limits, generations)),
        signals=signals,
        bell=machine.bell,
        provider=next(iter(providers.values())),
        store=machine.store,
        links=links,
        pages=ProviderPages(providers, owners.of, settings.replicate_base_url, clock),
        webhook_secrets=webhook_secrets,
        courier=courier,
        uploads=uploads,
        streams=Streams(machine, generations, settings.streams),
    )


def _parts(settings: Settings, opened: _Opened, limits: Mapping[str, Limits], generations: Generations) -> Parts:
    machine = opened.machine
    return Parts(
        settings=settings,
        machine=machine,
        signals=opened.signals,
        limits=limits,
        generations=generations,
        chores=chores_of(machine, machine.inputs.uploads),
        own_chores=own_chores_of(settings, machine.clock, opened.providers),
        base_url=opened.base_url,
    )


@asynccontextmanager
async def running(runtime: Runtime) -> AsyncGenerator[asyncio.Task[None]]:
    """Run engine, courier and chores for the length of the block; at its end, what is under way is finished.

    Gives the engine's task. It never ends by itself, unless something is wrong that nobody foresaw; that is logged,
    and whoever owns the process should end it, so that it is started afresh.
    """
    engine = asyncio.create_task(runtime.drive.engine.run(), name="engine")
    engine.add_done_callback(_report_end)
    courier = asyncio.create_task(runtime.courier.run(), name="courier")
    courier.add_done_callback(_report_end)
    chores = asyncio.create_task(runtime.drive.chores.run(), name="chores")
    try:
        yield engine
    finally:
        runtime.drive.engine.stop()
        await asyncio.wait({engine})
        runtime.courier.stop()
        await asyncio.wait({courier})
        await _cancel(chores)


def _report_end(task: asyncio.Task[None]) -> None:
    """It returns only when it was asked to stop; any other end is said aloud."""
    error = None if task.cancelled() else task.exception()
    if task.cancelled() or error:
        log.critical("the %s has ended by itself: it does nothing here any more", task.get_name(), exc_info=error)


def callback_url(public_url: str) -> Callable[[str, str], str]:
    """How the name of a provider account and a ref become the URL that the provider is told to call."""
    base = public_url.rstrip("/")
    return lambda name, ref: f"{base}{CALLBACK_PATH.format(provider=name)}?{urlencode({'ref': ref})}"


async def check_schema(database: Database) -> None:
    """Raises ``ConfigurationError`` unless the database has the schema of this version."""
    found = await migrate.current(database)
    if found != migrate.head():
        raise ConfigurationError(
            f"The database's schema is {found or 'empty'}, and this version needs {migrate.head()}: "
            "run `mutoscope migrate`."
        )


def _input_files(
    settings: Settings, database: Database, clock: Clock, store: ObjectStore, kill: KillPoints
) -> InputFiles:
    # A bucket's links lead to the bucket; those of the local disk lead to us.
    public_links = settings.aws_s3_bucket_name is not None or settings.public_url is not None
    uploads = Uploads(database, clock, store, settings.uploads)
    copies = Copies(database, clock, kill, timedelta(seconds=settings.engine.lease_s))
    return InputFiles(uploads, copies, public_links)


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
        webhook_attempts=settings.webhooks.max_attempts,
        webhook_url=callback_url(settings.public_url) if settings.public_url else None,
    )
