"""What moves generations in this process: an engine, the work that is due by the clock, and what the engine serves."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx

from mutoscope.core.clock import Clock
from mutoscope.core.errors import ConfigurationError, Unavailable
from mutoscope.core.settings import Settings
from mutoscope.engines.base import Engine
from mutoscope.engines.chores import Chore, Chores, expire_lots, forget_deliveries, forget_messages, forget_streams
from mutoscope.engines.claims import Claims
from mutoscope.engines.embedded import EmbeddedEngine
from mutoscope.generations.admission import Limits
from mutoscope.generations.machine import Machine
from mutoscope.generations.service import Generations
from mutoscope.generations.signals import Signals
from mutoscope.providers.replicate import Replicate
from mutoscope.uploads.service import Uploads

INNGEST_PATH = "/api/inngest"


@dataclass(frozen=True, slots=True)
class Parts:
    """What engines are made of."""

    settings: Settings
    machine: Machine
    signals: Signals
    limits: Mapping[str, Limits]
    generations: Generations
    # What one process does for all, and what each must do for itself.
    chores: Mapping[str, Chore]
    own_chores: Sequence[Chore]
    # Where this process itself reaches its API.
    base_url: str


@dataclass(frozen=True, slots=True)
class Drive:
    """The running parts.

    Attributes:
        engine: Moves generations.
        chores: What this process does by the clock.
        mount: Adds the routes that the engine needs to the API's application.
        connect: Makes steps over a connection of its own until it is cancelled; only of an engine that needs one where
            it has no ``mount``.
    """

    engine: Engine
    chores: Chores
    mount: Callable[[Any], None]
    connect: Callable[[], Coroutine[Any, Any, None]] | None


def embedded(parts: Parts) -> Drive:
    """The engine in this process: needs nothing else."""
    engine = EmbeddedEngine(parts.machine, parts.limits, parts.signals, parts.settings.engine)
    return Drive(engine, Chores([*parts.own_chores, *parts.chores.values()]), lambda app: None, None)


def inngest(parts: Parts) -> Drive:
    """Inngest. Needs the extra ``inngest``.

    Raises:
        ConfigurationError: The extra or a key is missing.
    """
    try:
        from mutoscope.engines.inngest.app import App
    except ImportError as missing:
        raise ConfigurationError(
            "engine.kind = \"inngest\" needs the extra: pip install 'mutoscope[inngest]'"
        ) from missing

    claims = partial(Claims, parts.machine, parts.limits, parts.signals, sweep_s=parts.settings.engine.sweep_s)
    app = App(parts.settings, parts.machine, parts.signals, claims, parts.generations.cancel, parts.chores)
    chores = [*parts.own_chores]

    def mount(api: Any) -> None:
        app.mount(api)
        chores.append(partial(announce, f"{parts.base_url}{INNGEST_PATH}"))

    return Drive(app.engine, Chores(chores), mount, app.connect)


async def announce(url: str) -> None:
    """Tell Inngest, through our own address, which functions there are. A server that lost its memory needs it again.

    Raises:
        Unavailable: It could not be told.
    """
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            answer = await http.put(url)
    except httpx.TransportError as error:
        raise Unavailable(f"The functions could not be announced to Inngest through {url}: {error}") from error
    # The SDK passes a server's refusal on as if it were none.
    if answer.is_error or '"error"' in answer.text:
        raise Unavailable(f"The functions could not be announced to Inngest: {answer.text[:300]}")


def limits_of(settings: Settings, name: str) -> Limits:
    """The limits of one provider account."""
    caps = {alias: m.max_in_flight for alias, m in settings.models.items() if m.max_in_flight}
    own = settings.replicate_accounts.get(name)
    return Limits(own.admission if own else settings.admission, caps)


def chores_of(machine: Machine, uploads: Uploads) -> dict[str, Chore]:
    """What is due by the clock, by name, wherever it is done."""
    database, clock = machine.database, machine.clock
    return {
        "expire-lots": expire_lots(database, clock),
        "forget-messages": forget_messages(database, clock),
        "forget-streams": forget_streams(database, clock),
        "forget-deliveries": forget_deliveries(database, clock),
        "remove-uploads": uploads.remove_old,
    }


def own_chores_of(settings: Settings, clock: Clock, providers: Mapping[str, Replicate]) -> Sequence[Chore]:
    """What every process must do for itself: it keeps what it learns in memory."""
    return [_learn_secret(one, clock) for one in providers.values()] if settings.webhooks_on else []


def _learn_secret(provider: Replicate, clock: Clock) -> Chore:
    """Where no secret was given; it does nothing where one is known."""

    async def chore() -> None:
        await provider.learn_webhook_secret(now=clock.now())

    return chore
