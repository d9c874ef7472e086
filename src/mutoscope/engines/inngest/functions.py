"""How a run goes, as Inngest shows it: submit, wait-1, await-1, …, store, settle. No side effect outside steps.

A run does not own its generation. The row does not believe in it: whoever's step comes first moves it, and a run that
is lost, doubled or late finds in the row what is left to do.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Any

import inngest
from inngest import Concurrency, Context, Event, Function, Inngest, Priority, Throttle, TriggerCron, TriggerEvent

from mutoscope.core.inngest_settings import InngestSettings
from mutoscope.engines.inngest.worker import StepWorker, for_inngest
from mutoscope.generations.states import Phase

REQUESTED = "mutoscope/generation.requested"
SIGNALED = "mutoscope/generation.signaled"
FN_ID = "generation"
STEP_NAMES = {Phase.SUBMITTING: "submit", Phase.DOUBT: "find", Phase.DONE: "tidy"}
"""Steps that are not called as their phase is."""

# Inngest ends a run at a thousand steps; a new one goes on where this one was.
MAX_TURNS = 300
# The run that waits is woken by the same event, and is the one to go on; only if it missed it somebody else does.
YIELD = timedelta(seconds=0.5)
# Inngest counts how long it waits for an event in whole seconds; less than this is slept, to the millisecond.
SHORT_S = 2.0

Work = Callable[[], Awaitable[None]]


def step_name(phase: str) -> str:
    """What the step of a phase is called."""
    return STEP_NAMES.get(Phase(phase), phase)


class Functions:
    """The functions of the app.

    Args:
        client: The app.
        worker: Does the steps.
        settings: How many steps at once, and how fast.
        restart: Asks for another run of a generation whose run has failed.
        cancel: Cancels a generation whose run was cancelled, by account and id.
        scheduled: What is to be done every minute, by name.
    """

    def __init__(
        self,
        client: Inngest,
        worker: StepWorker,
        settings: InngestSettings,
        *,
        restart: Callable[[str], Awaitable[None]],
        cancel: Callable[[str, str], Awaitable[object]],
        scheduled: Mapping[str, Work],
    ) -> None:
        self._client, self._worker, self._settings = client, worker, settings
        self._restart, self._cancel = restart, cancel
        self._scheduled = scheduled

    def all(self) -> list[Function[Any]]:
        """For ``serve`` or ``connect``."""
        return [
            self._generation(),
            self._signal(),
            self._ended("generation-failed", "inngest/function.failed", self._rescue),
            self._ended("generation-cancelled", "inngest/function.cancelled", self._withdraw),
            *(self._cron(name, work) for name, work in self._scheduled.items()),
        ]

    def _generation(self) -> Function[Any]:
        settings = self._settings

        async def generation(ctx: Context) -> None:
            asked = ctx.event.data
            await self._drive(ctx, step_name(str(asked["phase"])), _int(asked["lease"]), run=_int(asked["run"]))

        throttle = Throttle(limit=settings.runs_per_minute, period=timedelta(minutes=1), burst=settings.runs_per_minute)
        return self._client.create_function(
            fn_id=FN_ID,
            name="Generation",
            trigger=TriggerEvent(event=REQUESTED),
            retries=settings.retries,
            concurrency=[
                Concurrency(limit=settings.steps),
                Concurrency(limit=settings.steps_per_account, key="event.data.account_id"),
            ],
            throttle=throttle,
            priority=Priority(run="event.data.priority"),
            on_failure=self._rescue,
        )(generation)

    def _signal(self) -> Function[Any]:
        async def signal(ctx: Context) -> None:
            await ctx.step.sleep("yield", YIELD)
            await self._drive(ctx, "signal", _int(ctx.event.data["lease"]), run=None)

        return self._client.create_function(
            fn_id="signal",
            name="Signal",
            trigger=TriggerEvent(event=SIGNALED),
            retries=self._settings.retries,
            concurrency=[Concurrency(limit=self._settings.steps)],
        )(signal)

    async def _drive(self, ctx: Context, name: str, lease: int, *, run: int | None) -> None:
        """Step after step; a run waits as often as it must, a helper leaves as soon as it would have to."""
        generation_id = str(ctx.event.data["generation_id"])
        at: Mapping[str, Any] = {}
        for turn in range(1, MAX_TURNS + 1):
            at = await ctx.step.run(name, self._worker.advance, generation_id, lease, run)
            if at["due"] is None or (run is None and at["wait_s"]):
                return
            lease, name = at["lease"], step_name(at["phase"])
            if at["wait_s"]:
                lease = await _wait(ctx, f"wait-{turn}", generation_id, at)
                name = f"await-{turn}" if at["phase"] == Phase.AWAIT else name
        again = dict(ctx.event.data) | {"lease": lease, "run": at["epoch"], "phase": at["phase"]}
        await ctx.step.send_event("go-on", Event(id=f"{ctx.run_id}:on", name=REQUESTED, data=again))

    def _ended(self, fn_id: str, event: str, handler: Callable[[Context], Awaitable[None]]) -> Function[Any]:
        """A run that ended otherwise than by itself must not take its generation with it."""
        ours = f"event.data.function_id == '{self._client.app_id}-{FN_ID}'"
        return self._client.create_function(
            fn_id=fn_id, trigger=TriggerEvent(event=event, expression=ours), retries=self._settings.retries
        )(handler)

    async def _rescue(self, ctx: Context) -> None:
        with for_inngest():
            await self._restart(str(_cause(ctx)["generation_id"]))

    async def _withdraw(self, ctx: Context) -> None:
        cause = _cause(ctx)
        with for_inngest():
            await self._cancel(str(cause["account_id"]), str(cause["generation_id"]))

    def _cron(self, name: str, work: Work) -> Function[Any]:
        async def scheduled(ctx: Context) -> None:
            await ctx.step.run(name, work)

        return self._client.create_function(
            fn_id=name, trigger=TriggerCron(cron="* * * * *"), retries=0, concurrency=[Concurrency(limit=1)]
        )(scheduled)


async def _wait(ctx: Context, name: str, generation_id: str, at: Mapping[str, Any]) -> int:
    """Until the row is due, or until it is said to be; the lease to go on with."""
    if at["wait_s"] < SHORT_S:
        await ctx.step.sleep_until(name, datetime.fromisoformat(at["due"]))
        return at["lease"]
    said = await ctx.step.wait_for_event(
        name,
        event=SIGNALED,
        if_exp=f"async.data.generation_id == '{generation_id}'",
        timeout=timedelta(seconds=ceil(at["wait_s"])),
    )
    return _int(said.data["lease"]) if said else at["lease"]


def _cause(ctx: Context) -> Mapping[str, Any]:
    """The data of the event that began the run which has ended."""
    event: Any = ctx.event.data["event"]
    return event["data"]


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise inngest.NonRetriableError(f"{value!r} is no number of a lease or a run")
    return value
