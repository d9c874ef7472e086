"""The real service as a process of its own: ``mutoscope serve``, on a free port of this machine."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from tests.servers.processes import free_ports

from bench.processes import Process, process
from bench.world import World

_UP = "Mutoscope serves "


@contextmanager
def service(here: World, *, engine: bool = True, **settings: Any) -> Generator[Process]:
    """``mutoscope serve`` until the end of the block, with webhooks on."""
    port = free_ports(1)[0]
    url = f"http://127.0.0.1:{port}"
    path = here.directory / "mutoscope.toml"
    path.write_text(_toml({**here.settings(), "public_url": url, **settings}))
    arguments = ("--config", path, "serve", "--port", str(port), "--engine" if engine else "--no-engine")
    with process("mutoscope", *arguments, read=_ready) as running:
        yield running


def _ready(line: str) -> dict[str, Any] | None:
    return {"url": line.removeprefix(_UP).strip()} if line.startswith(_UP) else None


def _toml(values: dict[str, Any], *path: str) -> str:
    """TOML of plain values and tables; strings and numbers are written as in JSON."""
    lines = [f"[{'.'.join(path)}]"] if path else []
    lines += [f"{name} = {json.dumps(value)}" for name, value in values.items() if not isinstance(value, dict)]
    tables = [_toml(value, *path, name) for name, value in values.items() if isinstance(value, dict)]
    return "\n".join([*lines, *tables]) + "\n"
