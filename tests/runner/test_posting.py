import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from mutoscope.runner.posting import Poster, PostFailed


class Server:
    """Answers each request with the next of some raw answers, and counts connections."""

    def __init__(self, answers: list[bytes]) -> None:
        self.answers = answers
        self.connections = 0
        self.requests: list[bytes] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                answer = self.answers.pop(0)
                writer.write(answer)
                await writer.drain()
                if not answer or b"close" in answer:
                    break
        except (EOFError, OSError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def serving(*answers: bytes) -> AsyncGenerator[Server, None]:
    one = Server(list(answers))
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a?b=c"
    async with server:
        yield one


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


async def test_one_connection_serves_many_posts() -> None:
    async with serving(OK, NO_CONTENT, OK) as server:
        poster = Poster(5)
        assert [await poster.post(server.url, {"x": "y"}, b"body") for _ in range(3)] == [200, 204, 200]
        assert server.connections == 1
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /a?b=c HTTP/1.1\r\nhost: 127.0.0.1:")
        assert body == b"body"
        await poster.aclose()


async def test_a_connection_that_the_server_closed_is_replaced_without_a_loss() -> None:
    closing = b"HTTP/1.1 200 OK\r\nconnection: close\r\nContent-Length: 2\r\n\r\nok"
    async with serving(closing, OK, b"", OK) as server:
        poster = Poster(5)
        assert [await poster.post(server.url, {}, b"") for _ in range(3)] == [200, 200, 200]
        assert server.connections == 3
        await poster.aclose()


async def test_an_answer_of_unknown_length_ends_its_connection() -> None:
    async with serving(b"HTTP/1.1 302 Found\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", OK) as server:
        poster = Poster(5)
        assert [await poster.post(server.url, {}, b"") for _ in range(2)] == [302, 200]
        assert server.connections == 2
        await poster.aclose()


@pytest.mark.parametrize(
    "answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000]
)
async def test_what_is_not_an_answer_fails(answer: bytes) -> None:
    async with serving(answer, answer) as server:
        with pytest.raises(PostFailed):
            await Poster(5).post(server.url, {}, b"")


async def test_no_answer_in_time_fails() -> None:
    async with serving(b"HTTP/1.1 200 OK\r\n") as server:
        with pytest.raises(PostFailed):
            await Poster(0.2).post(server.url, {}, b"")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://x/",
        "http://",
        "http://x:99999/",
        "http://[/",
        "http://127.0.0.1:9/",
        "http://x/a b",
        "http://x/ü",
        "http://x/\r\ny: z",
    ],
)
async def test_what_is_no_address_fails(url: str) -> None:
    with pytest.raises(PostFailed):
        await Poster(1).post(url, {}, b"")
