"""The page about the runner must not lie."""

import re
import shlex
from pathlib import Path

import httpx

from mutoscope.runner.faults import Faults
from tests.replicate_protocol.document import operations, read_document
from tests.runner.harness import Client

PAGE = (Path(__file__).parents[2] / "docs" / "runner.md").read_text()


def test_every_fault_is_described_and_no_other() -> None:
    table = PAGE.split("| fault | value |")[1].split("\n\n")[0]
    named = {name for row in table.splitlines()[2:] for name in re.findall("`([a-z0-9_]+)`", row.split("|")[1])}
    assert named == set(Faults.model_fields)


def test_what_is_served_is_counted_right() -> None:
    document = read_document()
    assert f"All {len(document['paths'])} paths" in PAGE
    assert f"all their {len(operations(document))} operations" in PAGE


async def test_every_curl_example_works(runner: Client) -> None:
    examples = re.findall(r"^curl (?:.*\\\n)*(?:[^\n]*-d '\{\n(?:.*\n)*?.*\}'|.*)$", PAGE, re.MULTILINE)
    assert len(examples) == 5
    for example in examples:
        answer = await send(
            runner, shlex.split(example.replace("\\\n", " ").replace("http://127.0.0.1:8899", runner.url))
        )
        assert answer.is_success, example
        assert isinstance(answer.json(), dict)
    assert (await runner.stats())["creates"]["received"] == 3


async def send(runner: Client, words: list[str]) -> httpx.Response:
    """Do what a curl command says, on machines without curl too; an option that is not known here fails the test."""
    method, url, headers, body = "", "", httpx.Headers(), None
    rest = iter(words[1:])
    for word in rest:
        match word:
            case "-s":
                continue
            case "-X":
                method = next(rest)
            case "-H":
                name, _, value = next(rest).partition(": ")
                headers[name] = value
            case "-d":
                body = next(rest)
            case _:
                assert not word.startswith("-"), word
                url = word
    return await runner.http.request(method or ("POST" if body else "GET"), url, headers=headers, content=body)
