"""``make bench NAME=memory``: how much memory the service needs above idle while it stores one output of 1 GiB.

Idle is what it takes after one small file was stored. The peak is the kernel's own (``VmHWM``), reset before the large
file. The floor is a process that streams the same file by hand: httpx into a flushed file, or obstore into S3.
"""

import argparse
import asyncio
import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from tests.servers.seaweedfs import seaweedfs_server

from bench.processes import MIB, Process, process
from bench.service import service
from bench.support import result, say
from bench.wire import Connection, request
from bench.world import World, people, world

SMALL_BYTES = 256 * 1024
TARGET_MIB = 48
AUTH = {"Authorization": "Bearer bench"}


@dataclass
class Measured:
    """One side's figures."""

    started_mib: float
    idle_mib: float
    peak_mib: float
    seconds: float
    cpu_s: float

    @property
    def above_idle_mib(self) -> float:
        """What is asked for."""
        return self.peak_mib - self.idle_mib


async def measure(side: Process, small: bytes, large: bytes, size_bytes: int, headers: dict[str, str]) -> Measured:
    """Store a small file, then the large one, and look at the memory. ``headers`` are for asking again."""
    connection = Connection(side.port)
    started = side.rss_bytes()
    _check(await _stored(connection, small, headers), SMALL_BYTES)
    idle, cpu, began = side.rss_bytes(), side.cpu_s(), time.perf_counter()
    side.forget_peak()
    _check(await _stored(connection, large, headers), size_bytes)
    connection.close()
    seconds, cpu = time.perf_counter() - began, side.cpu_s() - cpu
    return Measured(started / MIB, idle / MIB, side.peak_rss_bytes() / MIB, seconds, cpu)


async def _stored(connection: Connection, order: bytes, headers: dict[str, str]) -> dict[str, Any]:
    """The answer once it has ended: the service makes nobody wait longer than a minute at a time."""
    answer = (await connection.ask(order)).json()
    while answer.get("status") in ("queued", "processing"):
        answer = (await connection.ask(request("GET", f"/v1/generations/{answer['id']}", **headers))).json()
    return answer


async def output_url(runner: Process, size_bytes: int) -> str:
    """A file of this size on the runner."""
    connection = Connection(runner.port)
    body = {"input": {"text": "floor", "output": "file", "size_bytes": size_bytes}}
    path = "/v1/models/mutoscope/echo/predictions"
    made = (await connection.ask(request("POST", path, body, Prefer="wait=60", **AUTH))).json()
    connection.close()
    return str(made["output"])


def main() -> None:
    """Measure, and print the result."""
    arguments = _arguments()
    size_bytes = int(arguments.gib * 2**30)
    with world("sqlite") as here, ExitStack() as stack:
        service_settings, floor_config = _storage(arguments.storage, here, stack)
        key = people(here.database_url, 1)[0]
        mutoscope = stack.enter_context(service(here, **service_settings))
        floor = stack.enter_context(process("bench.floors.memory", floor_config))
        say(f"storing {arguments.gib:g} GiB by hand ...")
        urls = [asyncio.run(output_url(here.runner, size)) for size in (SMALL_BYTES, size_bytes)]
        small, large = (request("POST", "/", {"url": url}) for url in urls)
        theirs = asyncio.run(measure(floor, small, large, size_bytes, {}))
        say(f"floor: {theirs.above_idle_mib:.1f} MiB above idle in {theirs.seconds:.1f} s")
        headers = {"Authorization": f"Bearer {key}", "Prefer": "wait=60"}
        small, large = (_order(headers, size) for size in (SMALL_BYTES, size_bytes))
        ours = asyncio.run(measure(mutoscope, small, large, size_bytes, headers))
        say(f"mutoscope: {ours.above_idle_mib:.1f} MiB above idle in {ours.seconds:.1f} s")
    result(
        "memory",
        ours.above_idle_mib,
        "MiB above idle",
        theirs.above_idle_mib,
        target=TARGET_MIB,
        storage=arguments.storage,
        size_gib=arguments.gib,
        mutoscope=vars(ours),
        by_hand=vars(theirs),
    )


def _storage(kind: str, here: World, stack: ExitStack) -> tuple[dict[str, Any], str]:
    """The service's settings and the floor's configuration, each with a place of its own."""
    if kind == "local":
        folder = here.directory / "floor"
        folder.mkdir()
        return {}, json.dumps({"folder": str(folder)})
    say("starting SeaweedFS ...")
    server = stack.enter_context(seaweedfs_server(here.directory))
    keys = {"access_key_id": server.access_key_id, "secret_access_key": server.secret_access_key}
    settings = {f"aws_{name}": value for name, value in keys.items()}
    settings |= {"aws_endpoint_url": server.endpoint, "aws_s3_bucket_name": server.create_bucket()}
    place = {"endpoint": server.endpoint, "region": server.region, "bucket": server.create_bucket()}
    return settings, json.dumps(place | keys)


def _order(headers: dict[str, str], size_bytes: int) -> bytes:
    body = {"model": "echo", "input": {"text": "ours", "output": "file", "size_bytes": size_bytes}}
    return request("POST", "/v1/generations", body, **headers)


def _check(answer: dict[str, Any], size_bytes: int) -> None:
    found = answer["files"][0] if answer.get("files") else answer
    if answer.get("status") != "completed" or found.get("size_bytes") != size_bytes:
        raise RuntimeError(f"not stored: {answer}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--storage", choices=["local", "s3"], default="local")
    parser.add_argument("--gib", type=float, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
