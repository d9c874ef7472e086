"""Closed-loop load: so many connections, each sending its next request when the last one is answered."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.wire import Answer, Connection


@dataclass
class Load:
    """What came of it."""

    elapsed_s: float = 0
    latencies_s: list[float] = field(default_factory=list[float])
    client_cpu_s: float = 0

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return len(self.latencies_s) / self.elapsed_s


async def drive(
    port: int,
    next_request: Callable[[], bytes | None],
    *,
    expected: int,
    connections: int,
    seconds: float | None = None,
    taken: Callable[[Answer], None] | None = None,
) -> Load:
    """Ask until ``next_request`` gives ``None``, or for ``seconds``.

    Args:
        port: Of a server on this machine.
        next_request: The bytes of the next request.
        expected: The status of every answer.
        connections: How many at once.
        seconds: How long, if not until there is nothing more to ask.
        taken: Called with each answer.

    Raises:
        ExceptionGroup: At the first answer with another status, since then nothing would be measured.
    """
    load = Load()
    began, cpu = time.perf_counter(), time.process_time()
    give_up_at = began + seconds if seconds else float("inf")

    async def one() -> None:
        connection = Connection(port)
        try:
            while time.perf_counter() < give_up_at and (request := next_request()):
                sent = time.perf_counter()
                answer = await connection.ask(request)
                load.latencies_s.append(time.perf_counter() - sent)
                if answer.status != expected:
                    raise RuntimeError(f"expected {expected}, got {answer}")
                if taken:
                    taken(answer)
        finally:
            connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(one())
    load.elapsed_s, load.client_cpu_s = time.perf_counter() - began, time.process_time() - cpu
    return load
