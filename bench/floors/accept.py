"""The floor of ``accept``: FastAPI and raw asyncpg, one transaction of four statements; no keys, schemas or lots.

``python -m bench.floors.accept DATABASE_URL ACCOUNTS``
"""

import sys
from typing import Any

from fastapi import FastAPI, HTTPException, Request

from bench.floors import order
from bench.floors.database import Refused, open_by_hand
from bench.floors.serving import serve


async def build(url: str) -> FastAPI:
    """The application."""
    del url
    app = FastAPI()
    app.state.database = await open_by_hand(sys.argv[1], int(sys.argv[2]))
    app.post("/v1/generations", status_code=202)(accept)
    return app


async def accept(body: dict[str, Any], request: Request) -> dict[str, Any]:
    """Take the order, or refuse it."""
    try:
        taken = await order.take(request.app.state.database, request.headers["account"], body)
    except Refused as refused:
        raise HTTPException(402) from refused
    return {"id": taken.id, "status": "queued", "input": body["input"]}


if __name__ == "__main__":
    serve(build)
