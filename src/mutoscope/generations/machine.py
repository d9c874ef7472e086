"""What the steps work with: the parts, the policy, and the few moves that several steps share."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.core.clock import Clock
from mutoscope.core.killpoints import KillPoints, NoKillPoints
from mutoscope.core.model_settings import ModelSettings
from mutoscope.db.engine import Database
from mutoscope.generations.failures import Failure
from mutoscope.generations.inputs import InputFiles
from mutoscope.generations.models import Generation
from mutoscope.generations.pacing import Pace
from mutoscope.generations.ports import Bell
from mutoscope.generations.states import Phase
from mutoscope.generations.transitions import move
from mutoscope.providers.base import Kind, Provider
from mutoscope.storage.base import ObjectStore

OpenSource = Callable[[str], AsyncGenerator[bytes]]


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that the steps need; see ``core/settings.py`` for each."""

    lease: timedelta
    doubt_window: timedelta
    unreachable_grace: timedelta
    expiry_grace_s: int
    storage_prefix: str
    # Of a provider account and a ref; none: providers are polled.
    webhook_url: Callable[[str, str], str] | None
    # How often the end of a generation is told to its own webhook, at most.
    webhook_attempts: int


@dataclass(frozen=True, slots=True)
class Machine:
    """The parts of the state machine. Shared by all steps, holds no state of any one generation."""

    database: Database
    clock: Clock
    providers: Mapping[str, Provider]
    store: ObjectStore
    open_source: OpenSource
    is_file: Callable[[str], bool]
    bell: Bell
    policy: Policy
    kill: KillPoints = field(default_factory=NoKillPoints)
    pace: Pace = field(default_factory=Pace)
    inputs: InputFiles = field(kw_only=True)

    def provider(self, row: Generation) -> Provider:
        """The provider that runs this generation, as it does this kind of run."""
        return self.providers[row.provider].of(cast("Kind", row.kind))

    def settings(self, row: Generation) -> ModelSettings:
        """The model's settings as they were when the generation was accepted: prices do not change under it."""
        return ModelSettings.model_validate(row.terms["settings"])

    @asynccontextmanager
    async def commit(self, name: str) -> AsyncGenerator[AsyncSession]:
        """A transaction between two kill points, ``name`` being one of ``killpoints.COMMITS``."""
        async with self.database.write() as session:
            yield session
            self.kill.reach(f"{name}.before_commit")
        self.kill.reach(f"{name}.after_commit")

    async def stay(self, row: Generation, name: str, *, due: datetime, **values: Any) -> Generation:
        """Leave the row in its phase and come back at ``due``."""
        async with self.commit(name) as session:
            return await move(session, row, Phase(row.phase), now=self.clock.now(), due=due, **values)

    async def fail(self, row: Generation, failure: Failure) -> Generation:
        """Decide that the generation has failed, or was canceled; the money follows in ``settle``."""
        async with self.commit("fail") as session:
            return await self.decide_failure(session, row, failure)

    async def decide_failure(
        self, session: AsyncSession, row: Generation, failure: Failure, **values: Any
    ) -> Generation:
        """``fail`` inside the caller's transaction."""
        now = self.clock.now()
        return await move(
            session,
            row,
            Phase.SETTLE,
            now=now,
            due=now,
            outcome="canceled" if failure.code == "canceled_by_user" else "failed",
            failure_code=failure.code,
            failure_detail=failure.detail,
            **values,
        )
