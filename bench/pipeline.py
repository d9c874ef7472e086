"""``make bench NAME=pipeline``: whole generations a second, and how long after the provider's end ours follows.

A client asks over HTTP and waits for the end (``Prefer: wait``): accepted, run on the runner's echo with a small file,
webhook, file stored on local disk, settled. The floor does the same by hand. Both share the runner, which costs more
than either; so the processor time of each side's own process is given too. The lag is what a waiting client sees: from
the prediction's ``completed_at`` to our answer, one at a time.
"""

import argparse
import asyncio
import itertools
import json
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bench.inngest_engine import inngest
from bench.load import Load, drive
from bench.processes import Process, process
from bench.service import service
from bench.support import middle, percentiles, result, say
from bench.wire import Answer, Connection, request
from bench.world import World, people, world

ACCOUNTS = 32
PATH = "/v1/generations"
RUN_S = 0.3
TARGET_LAG_MS = 50
ENGINES = {"embedded": lambda: nullcontext(dict[str, Any]()), "inngest": inngest}


@dataclass
class Side:
    """The service, or its floor, and what was measured of it."""

    name: str
    process: Process
    headers: list[dict[str, str]]
    rounds: list[Load] = field(default_factory=list[Load])
    cpu_s: dict[str, float] = field(default_factory=dict[str, float])
    lags_s: list[float] = field(default_factory=list[float])

    def run(self, here: World, count: int, connections: int) -> Load:
        """So many generations, so many at once."""
        asked = (self.request(f"{self.name} {number}", number) for number in range(count))
        before = self._cpu(here)
        load = asyncio.run(
            drive(self.process.port, lambda: next(asked, None), expected=200, connections=connections, taken=_check)
        )
        self.cpu_s = {part: used - before[part] for part, used in self._cpu(here).items()}
        say(f"{self.name}: {load.per_s:.1f} generations/s")
        return load

    def request(self, text: str, number: int, **more: Any) -> bytes:
        """One order of a small file."""
        body = {"model": "echo", "input": {"text": text, "output": "file", **more}}
        return request("POST", PATH, body, **self.headers[number % len(self.headers)])

    async def lag(self, runner: Process, count: int) -> None:
        """Run one after another, and compare our clock at the answer with the prediction's end."""
        ours, theirs = Connection(self.process.port), Connection(runner.port)
        for number in range(count):
            text = f"{self.name} alone {number}"
            _check(await ours.ask(self.request(text, number, seconds=RUN_S)))
            answered = time.time()
            page = (await theirs.ask(request("GET", "/v1/predictions", Authorization="Bearer bench"))).json()
            ended = next(p["completed_at"] for p in page["results"] if p["input"]["text"] == text)
            self.lags_s.append(answered - datetime.fromisoformat(ended).timestamp())
        ours.close()
        theirs.close()

    @property
    def per_s(self) -> float:
        """The middle round."""
        return middle([load.per_s for load in self.rounds])

    def details(self) -> dict[str, Any]:
        """The rounds, the times under load, and the processor time of each part in the last round."""
        count = len(self.rounds[-1].latencies_s)
        return {
            "rounds_per_s": [load.per_s for load in self.rounds],
            "under_load": percentiles([latency for load in self.rounds for latency in load.latencies_s]),
            "cpu_ms_each": {part: used * 1000 / count for part, used in self.cpu_s.items()},
        }

    def _cpu(self, here: World) -> dict[str, float]:
        return {"process": self.process.cpu_s(), "database": here.database_cpu_s(), "runner": here.runner.cpu_s()}


def main() -> None:
    """Measure, and print the result."""
    arguments = _arguments()
    with world(arguments.database) as here:
        keys = people(here.database_url, ACCOUNTS)
        secret, files = here.runner.ready["webhook_secret"], here.directory / "floor"
        files.mkdir()
        with (
            ENGINES[arguments.engine]() as driven,
            service(here, **driven) as mutoscope,
            process("bench.floors.pipeline", here.floor_url, str(ACCOUNTS), here.runner.url, secret, files) as floor,
        ):
            ours = Side(
                "mutoscope", mutoscope, [{"Authorization": f"Bearer {key}", "Prefer": "wait=60"} for key in keys]
            )
            theirs = Side("floor", floor, [{"Account": f"user-{number}"} for number in range(ACCOUNTS)])
            _measure(here, [theirs, ours], arguments)
        result(
            "pipeline",
            ours.per_s,
            "generations/s",
            theirs.per_s,
            lag={"target_p50_ms": TARGET_LAG_MS, **percentiles(ours.lags_s), "floor": percentiles(theirs.lags_s)},
            engine=arguments.engine,
            database=arguments.database,
            count=arguments.count,
            connections=arguments.connections,
            mutoscope=ours.details(),
            by_hand=theirs.details(),
        )


def _measure(here: World, sides: list[Side], arguments: argparse.Namespace) -> None:
    """Warm up, then let the sides take turns, so that a disturbed machine disturbs both."""
    for side in sides:
        side.run(here, ACCOUNTS, arguments.connections)
    for _, side in itertools.product(range(arguments.rounds), sides):
        side.rounds.append(side.run(here, arguments.count // arguments.rounds, arguments.connections))
    for side in sides:
        asyncio.run(side.lag(here.runner, arguments.alone))


def _check(answer: Answer) -> None:
    if answer.status != 200 or json.loads(answer.body)["status"] != "completed":
        raise RuntimeError(f"not completed: {answer}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=[*ENGINES], default="embedded")
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="postgres")
    parser.add_argument("--count", type=int, default=300, help="generations of each side")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--alone", type=int, default=20, help="generations one at a time, for the lag")
    return parser.parse_args()


if __name__ == "__main__":
    main()
