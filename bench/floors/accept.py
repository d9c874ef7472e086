"""The floor of ``accept``: FastAPI and raw asyncpg, one transaction of four statements; no keys, schemas or lots.

``python -m bench.floors.accept DSN ACCOUNTS``
"""

import asyncio
import secrets
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request

from bench.floors import sql
from bench.processes import announce
from mutoscope.api.serving import listen, url_of


def build(dsn: str, accounts: int, url: str) -> FastAPI:
    """The application."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        app.state.pool = await sql.open_pool(dsn, accounts)
        announce({"url": url})
        yield
        await app.state.pool.close()

    app = FastAPI(lifespan=lifespan)
    app.post("/v1/generations", status_code=202)(accept)
    return app


async def accept(body: dict[str, Any], request: Request) -> dict[str, Any]:
    """Take the credits and record the work, or refuse."""
    account_id, generation_id, hold_id = request.headers["account"], secrets.token_hex(16), secrets.token_hex(16)
    async with request.app.state.pool.acquire() as connection, connection.transaction():
        if await connection.execute(sql.GUARDED, account_id, sql.PRICE) != "UPDATE 1":
            raise HTTPException(402)
        await connection.execute(sql.HOLD, hold_id, account_id, sql.PRICE)
        await connection.execute(sql.GENERATION, generation_id, account_id, hold_id, sql.compact(body), time.time())
        await connection.execute(sql.EVENT, secrets.token_hex(16), account_id, generation_id, "generation.queued")
    return {"id": generation_id, "status": "queued", "input": body["input"]}


async def _serve(dsn: str, accounts: int) -> None:
    listener = listen("127.0.0.1", 0)
    app = build(dsn, accounts, url_of(listener))
    await uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).serve(sockets=[listener])


if __name__ == "__main__":
    factory = uvicorn.Config("", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_serve(sys.argv[1], int(sys.argv[2])))
