"""``make bench NAME=parked``: what 10,000 generations cost that only wait for their predictions, with webhooks on.

The predictions are real ones on the runner and hang (a fault on demand); how the rows come to be is in ``copies.py``.
Two windows are measured. In the *quiet* one no row comes due, so it shows what a waiting row costs by itself: memory,
and the engine's sweeps. In the *polling* one the rows come due as evenly as the service's own limit on polls lets them,
because with webhooks on polling remains as the net below; it is the window that the target is about. The floor is a
process that listens on PostgreSQL through the raw driver, and asks it once a second for due rows.
"""

import argparse
import asyncio
import itertools
import time
from datetime import timedelta
from typing import Any

import httpx
from tests.servers.processes import wait_until

from bench.copies import Copy, copy, count_waiting, spread
from bench.load import drive
from bench.processes import MIB, Process, process
from bench.service import service
from bench.support import result, say
from bench.wire import Answer, request
from bench.world import World, people, world
from mutoscope.core.settings import AdmissionSettings

AUTH = {"Authorization": "Bearer bench"}
INPUT = {"text": "parked", "output": "file", "seconds": 600}
TARGETS = {"cpu_percent": 1, "rss_above_idle_mib": 64}


def main() -> None:
    """Measure, and print the result."""
    arguments = _arguments()
    with world("postgres") as here:
        key = people(here.database_url, 1)[0]
        _hang(here.runner)
        with (
            service(here) as mutoscope,
            process("bench.floors.parked", here.database_url) as floor,
        ):
            idle_bytes = mutoscope.rss_bytes()
            say(f"parking {arguments.count} generations ...")
            _park(here, mutoscope, key, arguments.count)
            mutoscope.forget_peak()
            quiet = _window(here, mutoscope, floor, arguments.seconds)
            say(f"quiet: {quiet['cpu_percent']:.2f} % of a core")
            every = timedelta(minutes=1) / AdmissionSettings().net_polls_per_minute
            asyncio.run(spread(here.database_url, every))
            polling = _window(here, mutoscope, floor, arguments.seconds)
            say(f"polling: {polling['cpu_percent']:.2f} % of a core, {polling['polls_per_s']:.1f} polls/s")
            waiting = asyncio.run(count_waiting(here.database_url))
            peak_bytes = mutoscope.peak_rss_bytes()
        if waiting != arguments.count:
            raise RuntimeError(f"{waiting} of {arguments.count} still wait: something else was measured")
        result(
            "parked",
            polling["cpu_percent"],
            "% of a core",
            polling["floor_cpu_percent"],
            targets=TARGETS,
            count=arguments.count,
            rss_above_idle_mib=(peak_bytes - idle_bytes) / MIB,
            rss_idle_mib=idle_bytes / MIB,
            window_s=arguments.seconds,
            quiet=quiet,
            polling=polling,
        )


def _park(here: World, service: Process, key: str, count: int) -> None:
    """One generation through the service; predictions for the others; and their rows."""
    body = {"model": "echo", "input": INPUT}
    order = iter([request("POST", "/v1/generations", body, Authorization=f"Bearer {key}"), None])
    asyncio.run(drive(service.port, lambda: next(order), expected=202, connections=1))
    wait_until(lambda: asyncio.run(count_waiting(here.database_url)) == 1, "the first generation waits")
    path = "/v1/models/mutoscope/echo/predictions"
    one = request("POST", path, {"input": INPUT}, Cancel_After="1h", **AUTH)
    numbers = itertools.count(1)
    made: list[Copy] = []

    def taken(answer: Answer) -> None:
        number = f"{len(made):06}"
        made.append(Copy(f"gen_parked{number}", f"hold_{number}", f"ref_{number}", answer.json()["id"]))

    def following() -> bytes | None:
        return one if next(numbers) < count else None

    asyncio.run(drive(here.runner.port, following, expected=201, connections=16, taken=taken))
    asyncio.run(copy(here.database_url, made))


def _window(here: World, service: Process, floor: Process, seconds: float) -> dict[str, Any]:
    """Processor time of each process over so many seconds, and how often the provider was asked."""
    before = (service.cpu_s(), floor.cpu_s(), here.database_cpu_s(), _polls(here.runner))
    began = time.perf_counter()
    service.stays_up(seconds)
    elapsed_s = time.perf_counter() - began
    after = (service.cpu_s(), floor.cpu_s(), here.database_cpu_s(), _polls(here.runner))
    own, by_hand, database, polls = (used - at_first for used, at_first in zip(after, before, strict=True))
    return {
        "cpu_percent": own / elapsed_s * 100,
        "floor_cpu_percent": by_hand / elapsed_s * 100,
        "database_cpu_percent": database / elapsed_s * 100,
        "polls_per_s": polls / elapsed_s,
        "rss_mib": service.rss_bytes() / MIB,
    }


def _hang(runner: Process) -> None:
    """Let no prediction ever end."""
    rules = [{"when": {"input": INPUT["text"]}, "do": {"hang": True}}]
    httpx.put(f"{runner.url}/_runner/faults", json={"rules": rules}, headers=AUTH).raise_for_status()


def _polls(runner: Process) -> int:
    stats = httpx.get(f"{runner.url}/_runner/stats", headers=AUTH).raise_for_status().json()
    return int(stats["requests"]["gets"])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20, help="length of each window")
    return parser.parse_args()


if __name__ == "__main__":
    main()
