"""``mutoscope generate``: one paid generation on a running service, from the shell."""

import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mutoscope.cli.bars import Bar
from mutoscope.cli.inputs import read_inputs
from mutoscope.cli.output import errors, note, print_json, say, shown
from mutoscope.cli.remote import DEFAULT_URL, Account, Key, Url, connect
from mutoscope.cli.setup import Json
from mutoscope.client import Client, File, Generation

FAILED = 1


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
    """Generate, show progress, save the files, and print their paths and the cost."""
    out.mkdir(parents=True, exist_ok=True)
    with connect(url, key, account) as client:
        values = read_inputs(inputs or [], client.model(model).input_schema or {})
        made = client.generate(model, values, idempotency_key=idempotency_key, wait=False)
        done = _watch(client, made) if wait else made
        paths = [client.download(file, out / file_name(done, file)) for file in done.files]
    if as_json:
        print_json({**shown(done), "paths": [str(path) for path in paths]})
    else:
        _print(done, paths)
    if wait and done.status != "completed":
        raise typer.Exit(FAILED)


def _watch(client: Client, made: Generation) -> Generation:
    with Bar(errors, made.model) as bar:
        try:
            return client.wait(made.id, on_progress=bar.show)
        except KeyboardInterrupt:
            client.cancel(made.id)
            note(f"{made.id} is asked to end.")
            raise


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
