"""``make bench NAME=accept``: how many generations a second are accepted over HTTP, and how long one takes.

The engine is off. Its floor is a handler by hand, FastAPI and raw asyncpg, with one transaction of four statements.
Rounds of the two alternate, so that a disturbed machine disturbs both. PostgreSQL flushes every commit to disk.
"""

import argparse
import asyncio
import itertools
from dataclasses import dataclass

from bench.load import Load, drive
from bench.processes import Process, process
from bench.service import service
from bench.support import middle, percentiles, result, say
from bench.wire import request
from bench.world import World, people, world

BODY = {"model": "echo", "input": {"text": "a lighthouse at dusk", "output": "file"}}
WARM_UP_S = 2


@dataclass
class Side:
    """The service, or its floor: its process, what it is asked, and what came of each round."""

    name: str
    process: Process
    requests: list[bytes]
    rounds: list[Load]
    cpu_s: float = 0
    database_cpu_s: float = 0

    def run(self, world: World, connections: int, seconds: float) -> Load:
        """One round."""
        took = itertools.cycle(self.requests)
        own, database = self.process.cpu_s(), world.database_cpu_s()
        load = asyncio.run(
            drive(self.process.port, lambda: next(took), expected=202, connections=connections, seconds=seconds)
        )
        self.cpu_s, self.database_cpu_s = self.process.cpu_s() - own, world.database_cpu_s() - database
        say(f"{self.name}: {load.per_s:.0f} requests/s")
        return load

    def measure(self, world: World, connections: int, seconds: float) -> None:
        """One round that counts."""
        self.rounds.append(self.run(world, connections, seconds))

    @property
    def per_s(self) -> float:
        """The middle round."""
        return middle([load.per_s for load in self.rounds])

    def details(self) -> dict[str, object]:
        """Latencies of all rounds, and where the processor time of the last went."""
        count = len(self.rounds[-1].latencies_s)
        return {
            **percentiles([latency for load in self.rounds for latency in load.latencies_s]),
            "rounds_per_s": [load.per_s for load in self.rounds],
            "process_cpu_ms_each": self.cpu_s * 1000 / count,
            "database_cpu_ms_each": self.database_cpu_s * 1000 / count,
            "client_cpu_ms_each": self.rounds[-1].client_cpu_s * 1000 / count,
        }


def main() -> None:
    """Measure, and print the result."""
    arguments = _arguments()
    with world("postgres") as here:
        count = 1 if arguments.hot else arguments.accounts
        say(f"making {count} accounts ...")
        keys = people(here.database_url, count)
        with (
            service(here, engine=False) as mutoscope,
            process("bench.floors.accept", here.floor_url, str(count)) as floor,
        ):
            asked = [request("POST", "/v1/generations", BODY, Authorization=f"Bearer {key}") for key in keys]
            by_hand = [request("POST", "/v1/generations", BODY, Account=f"user-{n}") for n in range(count)]
            ours, theirs = Side("mutoscope", mutoscope, asked, []), Side("floor", floor, by_hand, [])
            for side in (theirs, ours):
                side.run(here, arguments.connections, WARM_UP_S)
            for _ in range(arguments.rounds):
                for side in (theirs, ours):
                    side.measure(here, arguments.connections, arguments.seconds)
        result(
            "accept",
            ours.per_s,
            "requests/s",
            theirs.per_s,
            hot=arguments.hot,
            accounts=count,
            connections=arguments.connections,
            mutoscope=ours.details(),
            by_hand=theirs.details(),
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hot", action="store_true", help="one account instead of many")
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="length of a round")
    return parser.parse_args()


if __name__ == "__main__":
    main()
