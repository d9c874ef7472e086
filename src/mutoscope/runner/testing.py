"""A runner as a process, started and spoken to by somebody's tests, with nothing but the standard library."""

import json
import selectors
import subprocess
import sys
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

_START_TIMEOUT_S = 60
_CALL_TIMEOUT_S = 30
_STOP_TIMEOUT_S = 10


class RunnerNotStarted(RuntimeError):
    """The runner's process did not start; the text is what it said."""


@dataclass(frozen=True, slots=True)
class ReplicateRunner:
    """A runner that runs.

    Attributes:
        url: What stands before ``/v1``: ``base_url`` of Replicate's Python client 1.x, ``REPLICATE_BASE_URL``.
        token: A token that it accepts.
        webhook_secret: The secret that signs its webhooks.
    """

    url: str
    token: str
    webhook_secret: str

    @property
    def api_url(self) -> str:
        """With ``/v1``: ``base_url`` of Replicate's Python client 2.x, ``baseUrl`` of the JavaScript client."""
        return f"{self.url}/v1"

    @property
    def environment(self) -> dict[str, str]:
        """What Replicate's clients read from the environment."""
        return {"REPLICATE_BASE_URL": self.url, "REPLICATE_API_TOKEN": self.token}

    def faults(self, *rules: Mapping[str, Any], seed: int = 0) -> None:
        """Replace the fault plan; without rules nothing goes wrong.

        Args:
            *rules: Each ``{"do": {...}, "when": {...}, "count": n, "probability": p}``; all but ``do`` may be left out.
            seed: Of the dice that ``probability`` throws.
        """
        self._call("PUT", "/_runner/faults", {"seed": seed, "rules": list(rules)})

    def stats(self) -> dict[str, Any]:
        """What happened since the runner started: creates, predictions by status, webhooks, requests."""
        return self._call("GET", "/_runner/stats")

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)  # noqa: S310 - our own URL
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_CALL_TIMEOUT_S) as answer:
            return cast("dict[str, Any]", json.load(answer))


@contextmanager
def running(state_dir: Path, options: Mapping[str, Any]) -> Generator[ReplicateRunner, None, None]:
    """A runner in a process of its own, which ends with the block, and with this process however that ends.

    Args:
        state_dir: An empty directory.
        options: Fields of ``RunnerConfig``.

    Raises:
        RunnerNotStarted: It did not start within a minute.
    """
    config, log = state_dir / "config.json", state_dir / "runner.log"
    config.write_text(json.dumps({"webhook_retry_s": 0.1, **options}))
    command = [sys.executable, "-m", "mutoscope.runner", "--with-parent", "--state", str(state_dir / "state")]
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603 - ourselves
            [*command, "--config", str(config)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
    try:
        announced = _announced(process, log)
        token = str(options.get("token") or "test-token")
        yield ReplicateRunner(announced["url"], token, announced["webhook_secret"])
    finally:
        _stop(process)


def _announced(process: "subprocess.Popen[bytes]", log: Path) -> dict[str, str]:
    """The line that the runner prints when it is ready."""
    assert process.stdout  # noqa: S101 - it is a pipe
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        line = process.stdout.readline() if selector.select(_START_TIMEOUT_S) else b""
    if not line:
        process.kill()
        process.wait()
        raise RunnerNotStarted(f"The runner did not start: {log.read_text(errors='replace').strip()}")
    return cast("dict[str, str]", json.loads(line))


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.communicate(timeout=_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
