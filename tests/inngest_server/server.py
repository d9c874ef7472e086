"""A real Inngest server: the binary that ``MUTOSCOPE_INNGEST_BIN`` names, on free ports of 127.0.0.1."""

import os
import shutil
import signal
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.servers.processes import Child, free_ports

VARIABLE = "MUTOSCOPE_INNGEST_BIN"
SIGNING_KEY = "ab" * 32
EVENT_KEY = "cd" * 16


class InngestServer:
    """One server, started and killed as often as a test likes.

    Args:
        home: Its data and its log.
        mode: ``dev``, which keeps all in memory and asks for no signature, or ``start``.
    """

    def __init__(self, home: Path, mode: str) -> None:
        self._home, self.mode = home, mode
        self._ports = free_ports(4)
        self._child: Child | None = None
        self.url = f"http://127.0.0.1:{self._ports[0]}"

    @property
    def events_url(self) -> str:
        """Where events are sent."""
        return f"{self.url}/e/{EVENT_KEY if self.mode == 'start' else 'any'}"

    @property
    def settings(self) -> dict[str, Any]:
        """What Mutoscope must be told."""
        if self.mode == "dev":
            return {"inngest_dev": True, "inngest_base_url": self.url}
        keys = {"inngest_signing_key": SIGNING_KEY, "inngest_event_key": EVENT_KEY}
        return {"inngest_base_url": self.url, **keys}

    def start(self) -> None:
        """Start, and return when it answers."""
        names = ("port", "connect-gateway-port", "connect-gateway-grpc-port", "connect-executor-grpc-port")
        ports = [f"--{name}={port}" for name, port in zip(names, self._ports, strict=True)]
        how = ["--no-discovery", "--no-poll"] if self.mode == "dev" else []
        if self.mode == "start":
            how = [f"--signing-key={SIGNING_KEY}", f"--event-key={EVENT_KEY}", f"--sqlite-dir={self._home / 'data'}"]
        argv = [os.environ[VARIABLE], self.mode, *how, "--host=127.0.0.1", *ports, "--tick=10", "--retry-interval=1"]
        # It keeps things in its user's home, and reports home unless told not to.
        kept = ["env", f"HOME={self._home}", "DO_NOT_TRACK=1", *argv]
        self._child = Child(kept, log=self._home / "log", orphan_signal=signal.SIGKILL)
        self._child.wait_until(self._healthy, "Inngest answers")

    def ensure(self) -> None:
        """Start it unless it runs."""
        if self._child is None:
            self.start()

    def kill(self, *, wipe: bool = False) -> None:
        """End it as a power cut would; with ``wipe`` its disk is lost too."""
        if self._child:
            self._child.stop(signal.SIGKILL)
            self._child = None
        if wipe:
            shutil.rmtree(self._home / "data", ignore_errors=True)

    def _healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", trust_env=False).is_success
        except httpx.TransportError:
            return False


@contextmanager
def inngest_server(mode: str = "dev") -> Generator[InngestServer]:
    """A server for the length of the block."""
    # In memory where that can be: on SQLite the server flushes its history at every event, and waits for it.
    memory = Path("/dev/shm")
    home = Path(tempfile.mkdtemp(prefix="mutoscope-inngest-", dir=memory if memory.is_dir() else None))
    server = InngestServer(home, mode)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(home, ignore_errors=True)
