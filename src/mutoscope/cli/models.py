"""``mutoscope models``: what a running service offers."""

from collections.abc import Mapping
from typing import Annotated, Any, cast

import typer

from mutoscope.cli.inputs import types_of
from mutoscope.cli.output import print_json, print_record, print_table, say
from mutoscope.cli.remote import DEFAULT_URL, Key, Url, connect
from mutoscope.cli.setup import Json
from mutoscope.client import Model


def models(
    alias: Annotated[str | None, typer.Argument(help="Show this one, with its inputs.", show_default="all")] = None,
    url: Url = DEFAULT_URL,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """List the models of a service, or show one with what it takes."""
    with connect(url, key) as client:
        found = client.model(alias) if alias else client.models()
    if as_json:
        print_json(found)
    elif isinstance(found, Model):
        _show(found)
    else:
        rows = [(one.alias, one.price.text, one.description) for one in found]
        print_table(("alias", "price", "description"), rows)


def _show(model: Model) -> None:
    print_record({"alias": model.alias, "description": model.description, "price": model.price.text})
    schema = model.input_schema or {}
    required = set(cast("list[str]", schema.get("required", [])))
    properties = cast("Mapping[str, dict[str, Any]]", schema.get("properties", {}))
    say("")
    print_table(
        ("input", "type", "default", "what it is"),
        [
            (name, _type(schema, one), "required" if name in required else one.get("default"), one.get("description"))
            for name, one in sorted(properties.items(), key=lambda item: item[1].get("x-order", 999))
        ],
    )


def _type(schema: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    return "file" if one.get("format") == "uri" else ", ".join(sorted(types_of(schema, one) - {"null"})) or "any"
