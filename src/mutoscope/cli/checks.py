"""The checks of ``mutoscope doctor``: each holds one setting against the real thing and says what to do."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from sqlalchemy import text

from mutoscope.adapters import PROVIDER, open_links, open_store
from mutoscope.cli import inngest_sync, public_url
from mutoscope.cli.model_checks import models
from mutoscope.cli.provider_accounts import of_account, opened
from mutoscope.cli.results import Result
from mutoscope.cli.setup import missing_file
from mutoscope.core.errors import ConfigurationError, MutoscopeError
from mutoscope.core.settings import Settings, unknown_variables
from mutoscope.db import Database, migrate
from mutoscope.providers.base import PredictionMissing
from mutoscope.providers.replicate import Replicate

POSTGRES_AT_LEAST = 13

Check = Callable[[Settings], Awaitable[Sequence[Result]]]


def environment() -> Sequence[Result]:
    """Is any variable misspelt?"""
    return [
        Result(name, "advice", "is no setting, and does nothing", f"Did you mean {meant}?" if meant else "Unset it.")
        for name, meant in unknown_variables().items()
    ]


async def database(settings: Settings) -> Sequence[Result]:
    """Can it be reached, is its schema the newest, does it keep what it is told?"""
    if (missing := missing_file(settings)) is not None:
        detail = f"there is no SQLite file {missing}"
        return [Result("database", "failed", detail, "Run `mutoscope migrate` to make it, or check DATABASE_URL.")]
    database = Database(settings.database, pool_size=2)
    kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    try:
        async with database.read() as session:
            await session.execute(text("SELECT 1"))
        return [Result("database", "ok", f"{kind} answers"), await _schema(database), await _durability(database)]
    except MutoscopeError as error:
        return [Result("database", "failed", error.detail, "Check DATABASE_URL, and that the server runs.")]
    finally:
        await database.aclose()


async def _schema(database: Database) -> Result:
    found, newest = await migrate.current(database), migrate.head()
    if found == newest:
        return Result("database schema", "ok", f"is at {newest}")
    return Result("database schema", "failed", f"is {found or 'empty'}, not {newest}", "Run `mutoscope migrate`.")


async def _durability(database: Database) -> Result:
    async with database.read() as session:
        if not database.is_sqlite:
            number = int((await session.execute(text("SHOW server_version_num"))).scalar_one())
            good = number >= POSTGRES_AT_LEAST * 10_000
            todo = "" if good else f"Use PostgreSQL {POSTGRES_AT_LEAST} or newer."
            return Result("database version", "ok" if good else "failed", f"PostgreSQL {number // 10_000}", todo)
        wanted = {"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"}
        found = {name: str((await session.execute(text(f"PRAGMA {name}"))).scalar_one()) for name in wanted}
    if found == wanted:
        return Result("database durability", "ok", "write-ahead log, flushed on every commit")
    return Result("database durability", "failed", str(found), "Put the file on a local disk that supports WAL.")


async def provider(settings: Settings) -> Sequence[Result]:
    """Are the tokens good?"""
    try:
        async with opened(settings) as providers:
            return [await _account(settings, replicate) for replicate in providers.values()]
    except ConfigurationError as error:
        return [Result("provider", "failed", "REPLICATE_API_TOKEN is not set", error.detail)]


async def _account(settings: Settings, replicate: Replicate) -> Result:
    name, tokens = of_account("provider", replicate), _setting(replicate, "api_tokens", "REPLICATE_API_TOKEN")
    todo = f"Check {tokens} and REPLICATE_BASE_URL."
    try:
        account = await replicate.account()
    except PredictionMissing as error:
        todo = "Check REPLICATE_BASE_URL: an address without /v1, such as https://api.replicate.com."
        return Result(name, "failed", f"{settings.replicate_base_url} is no API of Replicate's: {error.detail}", todo)
    except MutoscopeError as error:
        return Result(name, "failed", error.detail, todo)
    owner = account.get("username") or "an account"
    return Result(name, "ok", f"{settings.replicate_base_url} knows the token as {owner}")


def _setting(replicate: Replicate, name: str, of_main: str) -> str:
    """What the setting is called that an account has, other than the main one."""
    return of_main if replicate.name == PROVIDER else f"replicate_accounts.{replicate.name}.{name}"


async def storage(settings: Settings) -> Sequence[Result]:
    """Can a file be written once, read and deleted?"""
    place = f"bucket {settings.aws_s3_bucket_name}" if settings.aws_s3_bucket_name else str(settings.data_dir / "files")
    store = open_store(settings, open_links(settings, "http://127.0.0.1"))
    try:
        await store.check()
    except MutoscopeError as error:
        todo = (
            "Check AWS_* and the bucket's rights: put, get, delete."
            if settings.aws_s3_bucket_name
            else "Check MUTOSCOPE_DATA_DIR."
        )
        return [Result("storage", "failed", error.detail, todo)]
    finally:
        await store.aclose()
    return [Result("storage", "ok", f"{place}: written, read and deleted")]


async def webhooks(settings: Settings) -> Sequence[Result]:
    """Can the provider call us, and can we tell that it is the provider?"""
    if settings.public_url is None:
        todo = "Set MUTOSCOPE_PUBLIC_URL to the https address of this service, to hear of results at once."
        return [Result("webhooks", "advice", "MUTOSCOPE_PUBLIC_URL is not set: the provider is polled", todo)]
    found = [await public_url.check(settings, settings.public_url)]
    try:
        async with opened(settings) as providers:
            return found + [await _webhook_secret(settings, replicate) for replicate in providers.values()]
    except ConfigurationError:
        return found  # said by the check of the provider


async def _webhook_secret(settings: Settings, replicate: Replicate) -> Result:
    name = of_account("webhook secret", replicate)
    setting = _setting(replicate, "webhook_secret", "REPLICATE_WEBHOOK_SECRET")
    main = replicate.name == PROVIDER
    set_to = settings.replicate_webhook_secret if main else settings.replicate_accounts[replicate.name].webhook_secret
    try:
        signs_with = await replicate.webhook_secret()
    except MutoscopeError as error:
        return Result(name, "failed", error.detail, f"Set {setting}.")
    if set_to is None:
        todo = f"Set {setting}; production refuses to start without it."
        return Result(name, "advice", "not set; learnt from the provider at each start", todo)
    if set_to.get_secret_value() != signs_with:
        todo = f"Copy it into {setting} again; until then the new one is asked for when it is needed."
        return Result(name, "advice", "the provider signs with another one", todo)
    return Result(name, "ok", "set, and the one that the provider signs with")


async def secret(settings: Settings) -> Sequence[Result]:
    """Can links be signed so that they outlive this machine?"""
    try:
        open_links(settings, "http://127.0.0.1")
    except ConfigurationError as error:
        return [Result("secret", "failed", error.detail, "Set MUTOSCOPE_SECRET; `openssl rand -hex 32` makes one.")]
    if settings.secret is None:
        kept = settings.data_dir / "secret"
        todo = "Set MUTOSCOPE_SECRET where several machines serve; production refuses to start without it."
        return [Result("secret", "advice", f"made here and kept in {kept}", todo)]
    return [Result("secret", "ok", "set")]


async def engine(settings: Settings) -> Sequence[Result]:
    """Does the engine have what it needs?"""
    return await _ENGINES[settings.engine.kind](settings)


async def _embedded(settings: Settings) -> Sequence[Result]:
    return [Result("engine", "ok", f"embedded, {settings.engine.concurrency} steps at once")]


_ENGINES: Mapping[str, Check] = {"embedded": _embedded, "inngest": inngest_sync.check}

ALL: Sequence[Check] = (database, provider, storage, webhooks, secret, models, engine)
