"""Tokens are changed without a gap, and no text of ours ever shows one."""

import os
from pathlib import Path

import pytest

from mutoscope.providers.base import CreateRefused, FileToSend, PredictionRequest, ProviderDown, ProviderError
from mutoscope.providers.replicate import Replicate
from mutoscope.providers.tokens import Tokens
from tests.providers.servers import ScriptedServer, answer
from tests.storage.streams import stream

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


def test_no_text_shows_a_token() -> None:
    tokens = Tokens(["r8_secret"])
    assert "r8_secret" not in f"{tokens!r} {tokens}"


@pytest.mark.parametrize("written", [None, b"", b"r8_t\xc3\xb6ken\n", b"r8_\xff\xfe\n", b"\x00\n"])
async def test_without_a_token_that_can_be_sent_nothing_is_sent_and_nothing_is_in_doubt(
    server: ScriptedServer, tmp_path: Path, written: bytes | None
) -> None:
    file = tmp_path / "tokens"
    if written is not None:
        file.write_bytes(written)
    replicate = Replicate(server.url, Tokens([], file))
    for call in (
        replicate.create(CREATE),
        replicate.get("p1"),
        replicate.send_file(FileToSend("file_1", "a.bin", "application/octet-stream", 1, stream(b"x"))),
    ):
        with pytest.raises(ProviderDown, match="no token"):
            await call
    assert server.asked == []
    server.will(answer(201, MADE))
    file.write_bytes(b"\xff\xfe\ngood\n")
    assert (await replicate.create(CREATE)).id == "p1"
    assert used(server) == ["good"], "and what cannot be sent is passed over"
    await replicate.aclose()


async def test_a_given_token_that_cannot_be_sent_is_passed_over(server: ScriptedServer) -> None:
    replicate = Replicate(server.url, Tokens(["", "t\u00f6ken", "good"]))
    server.will(answer(201, MADE))
    assert (await replicate.create(CREATE)).id == "p1"
    assert used(server) == ["good"]
    await replicate.aclose()
