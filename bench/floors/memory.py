"""The floor of ``memory``: one stream by hand, from httpx into a file that is flushed, or into S3 through obstore.

``python -m bench.floors.memory CONFIG``, where the configuration, as JSON, names a ``folder`` or an S3 ``bucket``. A
request ``{"url": …}`` stores that file and answers with its size and hash.
"""

import asyncio
import hashlib
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import obstore
from obstore.store import S3Store

from bench.floors.asgi import answer, read_body
from bench.floors.serving import serve


@dataclass
class Hashed:
    """Chunks on their way, counted and hashed."""

    chunks: AsyncIterator[bytes]
    size_bytes: int = 0
    hash: Any = field(default_factory=hashlib.sha256)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self.chunks:
            self.size_bytes += len(chunk)
            self.hash.update(chunk)
            yield chunk


class ByHand:
    """Stores files."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._http = httpx.AsyncClient(trust_env=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request: one file."""
        url = json.loads(await read_body(receive))["url"]
        async with self._http.stream("GET", url) as response:
            body = Hashed(response.aiter_raw())
            if "folder" in self._config:
                await _to_disk(Path(self._config["folder"]) / secrets.token_hex(8), body)
            else:
                await obstore.put_async(self._store(), secrets.token_hex(8), body)
        done = {"status": "completed", "size_bytes": body.size_bytes, "sha256": body.hash.hexdigest()}
        await answer(send, 200, json.dumps(done).encode())

    def _store(self) -> S3Store:
        settings = {name: self._config[name] for name in ("endpoint", "region", "access_key_id", "secret_access_key")}
        return S3Store(self._config["bucket"], client_options={"allow_http": True}, **settings)


async def _to_disk(path: Path, body: Hashed) -> None:
    with path.open("xb", buffering=0) as file:
        async for chunk in body:
            await asyncio.to_thread(file.write, chunk)
        await asyncio.to_thread(os.fsync, file.fileno())


async def build(url: str) -> ByHand:
    """The application."""
    del url
    return ByHand(json.loads(sys.argv[1]))


if __name__ == "__main__":
    serve(build)
