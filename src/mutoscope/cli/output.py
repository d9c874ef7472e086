"""What commands print: tables for people, JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """One line for a person."""
    typer.echo(text)


def note(text: str) -> None:
    """One line beside the output, which a pipe does not take."""
    typer.echo(text, err=True)


def print_json(value: Any) -> None:
    """One JSON document."""
    typer.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None) -> None:
    """A table. Numbers stand to the right; ``None`` is a dash."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for number, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[number], int) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text("-" if cell is None else str(cell)) for cell in row))
    console.print(table)


def print_record(record: Mapping[str, Any]) -> None:
    """One thing, a line for each of its members."""
    width = max(map(len, record), default=0)
    for name, value in record.items():
        typer.echo(f"{name:<{width}}  {'-' if value is None else value}")


def shown(row: BaseModel) -> dict[str, Any]:
    """A shape of the API as plain values."""
    return row.model_dump(mode="json")


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return shown(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value
