"""``mutoscope doctor``: hold every setting against the real thing, and say what to do."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict

import typer

from mutoscope.cli import checks
from mutoscope.cli.output import print_json, say
from mutoscope.cli.results import Result
from mutoscope.cli.setup import Json, settings_of
from mutoscope.core.errors import ConfigurationError, MutoscopeError
from mutoscope.core.settings import Settings

TIMEOUT_S = 60
_MARKS = {"ok": "ok    ", "advice": "advice", "skipped": "-     ", "failed": "FAILED"}


def doctor(ctx: typer.Context, as_json: Json = False) -> None:
    """Check every setting. Exit status 1 when something will not work."""
    try:
        settings = settings_of(ctx)
    except ConfigurationError as error:
        results: Sequence[Result] = [Result("settings", "failed", error.detail, "See docs/settings.md.")]
    else:
        results = asyncio.run(_examine(settings))
    results = [*results, *checks.environment()]
    if as_json:
        print_json([asdict(one) for one in results])
    else:
        _print(results)
    if any(one.state == "failed" for one in results):
        raise typer.Exit(1)


async def _examine(settings: Settings) -> Sequence[Result]:
    found = [Result("settings", "ok", f"{settings.environment}, {len(settings.models)} models")]
    for group in await asyncio.gather(*(_in_time(check, settings) for check in checks.ALL)):
        found.extend(group)
    return found


async def _in_time(check: checks.Check, settings: Settings) -> Sequence[Result]:
    name = getattr(check, "__name__", "check")
    try:
        return await asyncio.wait_for(check(settings), TIMEOUT_S)
    except TimeoutError:
        return [Result(name, "failed", f"no answer within {TIMEOUT_S} s", "Check that it can be reached from here.")]
    except MutoscopeError as error:
        return [Result(name, "failed", error.detail, "See docs/settings.md.")]


def _print(results: Sequence[Result]) -> None:
    width = max(len(one.check) for one in results)
    for one in results:
        say(f"{_MARKS[one.state]}  {one.check:<{width}}  {one.detail}")
        if one.todo and one.state != "ok":
            say(f"{'':<8}{'':<{width}}  → {one.todo}")
