"""Any interleaving of users, workers, the provider, webhooks, time, troubles and crashes: the truths hold throughout.

The services are the real ones, on a real database. Workers can be held in the middle of an outside call while others
take their work over, and the power of one can be cut at any commit. A failing example prints the story that led to it;
``@reproduce_failure`` with the blob that is printed, on ``Story``, tells it again.
"""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mutoscope.core.killpoints import POINTS
from tests.property.shop import LEASE, MODELS, Shop
from tests.property.stage import Stage
from tests.property.troubles import ERRORS, TROUBLES, TURNS
from tests.servers.postgres import PostgresServer

# Where money or a prediction can be lost or doubled.
CRITICAL = [
    "create.after_call",
    *(f"{name}.{side}_commit" for name in ("intent", "bind", "stored", "settle") for side in ("before", "after")),
]
WHICH = st.integers(0, 5)
OUTPUTS = ["one file", "three files", "the same file twice", "fields", "text", "nothing", "no picture", "deep"]
ENDINGS = ["succeeded", "succeeded", "succeeded", "failed", "preempted", "canceled", "aborted", "exploded"]

# How often each deed is drawn, and with what.
DEEDS: dict[str, tuple[int, dict[str, st.SearchStrategy[Any]]]] = {
    "work": (8, {"limit": st.integers(1, 4)}),
    "finish": (
        8,
        {
            "which": WHICH,
            "ending": st.sampled_from(ENDINGS),
            "output": st.sampled_from(OUTPUTS),
            "seconds": st.sampled_from([None, 0.0, 2.5, 1e6]),
            "told": st.sampled_from([0, 0, 1, 2]),
        },
    ),
    "wait": (5, {"pause_s": st.sampled_from([0.3, 2, 5, 20, LEASE.total_seconds() + 1, 0.001, 130, 900])}),
    "ask": (
        4,
        {
            "who": st.sampled_from(["ann", "bob"]),
            "model": st.sampled_from(list(MODELS)),
            "prompt": st.sampled_from(["cat", "dog"]),
            "number": st.integers(1, 3),
        },
    ),
    "work_slowly": (4, {"which": WHICH, "hold_at": st.integers(1, 6)}),
    "go_on": (4, {"which": WHICH, "hold_at": st.integers(0, 3)}),
    "cut_power": (3, {"point": st.sampled_from(CRITICAL) | st.sampled_from(POINTS)}),
    "next_create": (3, {"turn": st.sampled_from(list(TURNS))}),
    "webhook": (3, {"which": WHICH, "with_ref": st.booleans(), "times": st.integers(0, 2)}),
    "trouble": (
        3,
        {
            "what": st.sampled_from(TROUBLES),
            "error": st.sampled_from(list(ERRORS)),
            "lasts_s": st.sampled_from([1, 60, 800]),
        },
    ),
    "cancel": (2, {"which": WHICH}),
    "late_webhook": (2, {"which": WHICH}),
    "start": (1, {"which": WHICH}),
    "kill": (2, {"which": WHICH}),
    "grant": (
        1,
        {
            "who": st.sampled_from(["ann", "bob"]),
            "amount": st.integers(1, 12),
            "hours": st.sampled_from([None, 0.01, 1]),
        },
    ),
    "expire": (1, {}),
}


Deed = tuple[str, dict[str, Any]]


def _deed(name: str) -> st.SearchStrategy[Deed]:
    return st.tuples(st.just(name), st.fixed_dictionaries(DEEDS[name][1]))


@dataclass(frozen=True)
class Tools:
    """What the examples of one test share."""

    runner: asyncio.Runner
    new_database: Callable[[], str]


class Story(RuleBasedStateMachine):
    """Tells a story about one shop.

    There is one rule: with a rule for each deed, hypothesis would leave half of them out of every story, and a story
    without workers or without a provider is soon told.
    """

    tools: Tools
    stage: Stage | None = None

    @initialize(
        webhooks=st.booleans(),
        asked=st.lists(_deed("ask"), min_size=1, max_size=4),
        turns=st.lists(_deed("next_create"), max_size=3),
    )
    def open(self, webhooks: bool, asked: list[Deed], turns: list[Deed]) -> None:
        self.stage = Stage(Shop(self.tools.runner, self.tools.new_database(), webhooks=webhooks), note)
        for deed in [*asked, *turns, ("work", {"limit": 4})]:
            self.tell(deed)

    @rule(deed=st.sampled_from([name for name in DEEDS for _ in range(DEEDS[name][0])]).flatmap(_deed))
    def tell(self, deed: Deed) -> None:
        name, arguments = deed
        getattr(self.stage, name)(**arguments)

    @invariant()
    def the_truths_hold(self) -> None:
        if self.stage:
            self.stage.check()

    def teardown(self) -> None:
        if self.stage:
            try:
                self.stage.end()
            finally:
                self.stage.close()


@pytest.fixture
def story(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[type[Story]]:
    """The machine, with a fresh database for each example."""
    with asyncio.Runner() as runner:

        class Machine(Story):
            pass

        if database_url.startswith("sqlite"):
            Machine.tools = Tools(runner, lambda: copy_of(database_url, tmp_path))
        else:
            server: PostgresServer = request.getfixturevalue("postgres")
            template = database_url.rpartition("/")[2]
            Machine.tools = Tools(runner, lambda: runner.run(server.create_database(template)))
        yield Machine


_numbers = count(1)


def copy_of(database_url: str, directory: Path) -> str:
    """Another database file like this one; those that were made before are removed."""
    for old in directory.glob("copy-*"):
        old.unlink()
    copy = directory / f"copy-{next(_numbers)}.db"
    shutil.copyfile(database_url.partition("///")[2], copy)
    return f"sqlite+aiosqlite:///{copy}"


def _settings(*, examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_any_interleaving(story: type[Story]) -> None:
    run_state_machine_as_test(story, settings=_settings(examples=16, steps=40))


@pytest.mark.timeout(900)
@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_any_interleaving_on_postgres(story: type[Story]) -> None:
    run_state_machine_as_test(story, settings=_settings(examples=6, steps=40))
