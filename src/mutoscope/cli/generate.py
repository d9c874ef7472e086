"""``mutoscope generate``: one paid generation on a running service, from the shell."""

import asyncio
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mutoscope.cli.bars import Bar
from mutoscope.cli.inputs import read_inputs
from mutoscope.cli.output import errors, note, print_json, say, shown
from mutoscope.cli.remote import DEFAULT_URL, Account, Key, Url, needed
from mutoscope.cli.setup import Json
from mutoscope.client import AsyncClient, File, Generation
from mutoscope.core.stopping import drop, ended_before, stop_signals

FAILED, INTERRUPTED = 1, 130
# How long a create that was interrupted may still be answered.
ANSWER_S = 5


@dataclass(frozen=True, slots=True)
class _Wish:
    model: str
    inputs: Sequence[str]
    out: Path
    idempotency_key: str | None
    wait: bool


def generate(  # noqa: PLR0913 - each is an option
    model: Annotated[str, typer.Argument(help="A model's alias; `mutoscope models` lists them.")],
    *,
    inputs: Annotated[
        list[str] | None, typer.Option("--input", "-i", help="name=value, or name=@file; once for each input.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where files are saved.")] = Path(),
    idempotency_key: Annotated[str | None, typer.Option(help="The same key gives the same generation.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait for the end, and save the files.")] = True,
    url: Url = DEFAULT_URL,
    key: Key = None,
    account: Account = None,
    as_json: Json = False,
) -> None:
    """Generate, show progress, save the files, and print their paths and the cost. Ctrl-C cancels the generation."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"{out} cannot be made: {error.strerror}", param_hint="--out") from error
    wish = _Wish(model, inputs or [], out, idempotency_key, wait)
    done, paths = asyncio.run(_generate(url, needed(key), account, wish))
    if as_json:
        print_json({**shown(done), "paths": [str(path) for path in paths]})
    else:
        _print(done, paths)
    if wait and done.status != "completed":
        raise typer.Exit(FAILED)


async def _generate(url: str, key: str, account: str | None, wish: _Wish) -> tuple[Generation, Sequence[Path]]:
    async with AsyncClient(url, key, account) as client:
        values = read_inputs(wish.inputs, (await client.model(wish.model)).input_schema or {})
        with stop_signals() as asked:
            made = await _ask(client, wish, values, asked)
            done = await _watch(client, made, asked) if wish.wait or asked.is_set() else made
            saving = asyncio.create_task(_save(client, done, wish.out))
            if not await ended_before(asked, saving):
                await drop(saving)
                raise typer.Exit(INTERRUPTED)
            return done, await saving


async def _ask(client: AsyncClient, wish: _Wish, values: Mapping[str, Any], asked: asyncio.Event) -> Generation:
    """Ask for the generation; when interrupted, wait a little for its id, without which it cannot be canceled."""
    making = asyncio.create_task(client.generate(wish.model, values, idempotency_key=wish.idempotency_key, wait=False))
    if not await ended_before(asked, making):
        note("Stopping once the service has answered; Ctrl-C again ends at once.")
        await asyncio.wait({making}, timeout=ANSWER_S)
        if not making.done():
            await drop(making)
            note("The service did not answer; it may have accepted the generation.")
            raise typer.Exit(INTERRUPTED)
    return await making


async def _watch(client: AsyncClient, made: Generation, asked: asyncio.Event) -> Generation:
    with Bar(errors, made.model) as bar:
        watching = asyncio.create_task(client.wait(made.id, on_progress=bar.show))
        if await ended_before(asked, watching):
            return await watching
        await drop(watching)
        await client.cancel(made.id)
        note(f"{made.id} is asked to end.")
        raise typer.Exit(INTERRUPTED)


async def _save(client: AsyncClient, done: Generation, out: Path) -> Sequence[Path]:
    return [await client.download(file, out / file_name(done, file)) for file in done.files]


def file_name(generation: Generation, file: File) -> str:
    """What a stored file is called on this machine."""
    return f"{generation.id}-{file.number}{mimetypes.guess_extension(file.media_type) or '.bin'}"


def _print(done: Generation, paths: Sequence[Path]) -> None:
    for path in paths:
        say(str(path))
    if done.status == "completed" and not paths:
        _print_output(done.output)
    if done.failure:
        note(f"{done.status}: {done.failure.detail} ({done.failure.code})")
    note(f"{done.id} {done.status}: {cost(done)}")


def _print_output(output: Any) -> None:
    if isinstance(output, str):
        say(output)
    else:
        print_json(output)


def cost(done: Generation) -> str:
    """What a generation cost, or holds, in words."""
    paid = done.credits
    if paid.charged is None:
        return f"{paid.held} {paid.type} credits are held"
    return f"{paid.charged} {paid.type} credits charged, {paid.refunded} returned"
