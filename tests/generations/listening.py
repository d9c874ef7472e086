"""Ask for a text that is streamed, follow it, and look at its tape."""

import asyncio
from contextlib import aclosing
from typing import Any

from sqlalchemy import func, select

from mutoscope.bootstrap import Runtime
from mutoscope.generations.models import Generation, StreamPiece
from mutoscope.generations.service import NewGeneration
from mutoscope.generations.streams.positions import Position, text_of
from mutoscope.generations.streams.reading import News
from tests.world import World

MODELS = {
    "scribe": {"reference": "mutoscope/scribe", "price": {"per_run": 3}, "stream": True, "run_timeout_s": 60},
    "echo": {"reference": "mutoscope/echo", "price": {"per_run": 3}},
}


BEGINNING = Position()


async def ask(
    here: World, prompt: str = "coin", *, tokens: int = 40, per_second: float = 100, **more: Any
) -> Generation:
    values = {"prompt": prompt, "max_tokens": tokens, "tokens_per_second": per_second}
    return await here.runtime.generations.create(here.account_id, NewGeneration("scribe", values, **more))


async def follow(
    runtime: Runtime, row: Generation, after: Position = BEGINNING, *, most: int | None = None
) -> list[News]:
    """What a reader hears until the end, or until it has heard so much text."""
    heard: list[News] = []
    opened = await runtime.streams.open(row.account_id, row.id)
    async with asyncio.timeout(40), aclosing(runtime.streams.follow(opened, after, asyncio.Event())) as news:
        async for one in news:
            heard.append(one)
            if most and len(text(heard)) >= most:
                break
    return heard


def text(heard: list[News]) -> str:
    """What a reader has in the end."""
    begin = max((n for n, one in enumerate(heard) if one.kind == "restart"), default=0)
    return "".join(one.text for one in heard[begin:] if one.kind == "output")


async def output(here: World, row: Generation) -> str:
    return text_of((await here.finish(row)).output) or ""


async def all_of(runtime: Runtime, model: Any) -> list[Any]:
    async with runtime.database.read() as session:
        return list((await session.scalars(select(model))).all())


async def has_text(runtime: Runtime) -> bool:
    async with runtime.database.read() as session:
        return bool(await session.scalar(select(func.count()).select_from(StreamPiece)))
