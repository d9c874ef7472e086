"""Tokens are changed without a gap, and no text of ours ever shows one."""

import os
from pathlib import Path

import pytest

from mutoscope.providers.base import CreateRefused, PredictionRequest, ProviderError
from mutoscope.providers.replicate import Replicate
from mutoscope.providers.tokens import Tokens
from tests.providers.servers import ScriptedServer, answer

MADE = {"id": "p1", "status": "starting", "created_at": "2026-01-01T00:00:00Z", "input": {}}
UNKNOWN = answer(401, {"detail": "You did not pass a valid authentication token"})
CREATE = PredictionRequest("acme/painter", {}, None, (), 60)


def used(server: ScriptedServer) -> list[str]:
    return [one.headers["authorization"].removeprefix("Bearer ") for one in server.asked]


async def test_a_token_that_is_not_known_is_replaced_and_the_call_made_again(server: ScriptedServer) -> None:
    replicate = Replicate(server.url, Tokens(["old-1", "new-2"]))
    server.will(UNKNOWN, answer(200, MADE), answer(201, MADE))
    assert (await replicate.get("p1")).id == "p1"
    assert (await replicate.create(CREATE)).id == "p1"
    assert used(server) == ["old-1", "new-2", "new-2"], "a create that was refused for its token was not made"
    await replicate.aclose()


async def test_when_none_is_known_it_says_so_and_starts_again(server: ScriptedServer) -> None:
    replicate = Replicate(server.url, Tokens(["one", "two"]))
    server.will(UNKNOWN)
    with pytest.raises(ProviderError, match="valid authentication token"):
        await replicate.get("p1")
    with pytest.raises(CreateRefused):
        await replicate.create(CREATE)
    assert used(server) == ["one", "two", "one", "two"]
    await replicate.aclose()


async def test_a_file_of_tokens_is_read_when_it_changes(server: ScriptedServer, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("first\n")
    replicate = Replicate(server.url, Tokens(["given"], file))
    server.will(answer(200, MADE))
    await replicate.get("p1")
    file.write_text("second\nfirst\n")
    os.utime(file, ns=(1, 1))  # whatever the clock of the disk says, it has changed
    await replicate.get("p1")
    file.unlink()
    await replicate.get("p1")
    assert used(server) == ["first", "second", "second"]
    await replicate.aclose()


def test_no_text_shows_a_token(tmp_path: Path) -> None:
    tokens = Tokens(["r8_secret"])
    assert "r8_secret" not in f"{tokens!r} {tokens}"
    assert Tokens([]).current() == ""
    assert Tokens([], tmp_path / "missing").current() == ""
