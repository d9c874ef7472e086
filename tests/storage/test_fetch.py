"""Fetching from real servers on this machine, which behave as badly as servers can."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from mutoscope.core.errors import ConfigurationError
from mutoscope.storage.fetch import HttpSource
from mutoscope.storage.hosts import HostList
from mutoscope.storage.sources import SourceFailed, SourceGone, SourceRefused
from tests.storage.streams import MIB, collected
from tests.storage.web import Answer, Request, response, serving


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """A client with credentials, which no file server may see."""
    headers = {"Authorization": "Bearer secret"}
    async with httpx.AsyncClient(
        trust_env=False, headers=headers, auth=("user", "password"), cookies={"session": "secret"}
    ) as made:
        yield made


def always(*pieces: bytes) -> Answer:
    async def answer(_: Request) -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return answer


def redirecting(to: Callable[[Request], str], *, status: int = 302) -> Answer:
    async def answer(request: Request) -> AsyncIterator[bytes]:
        yield response(status=status, headers={"location": to(request)})

    return answer


async def test_a_file_comes_whole_and_no_credentials_go(client: httpx.AsyncClient) -> None:
    body = bytes(range(256)) * 4096
    async with serving(always(response(body))) as site:
        source = HttpSource(client, [site.host])
        assert await collected(source.stream(f"{site.url}/file.png?signature=x")) == body
        sent = site.requests[0]
        assert sent.target == "/file.png?signature=x"
        assert not {"authorization", "cookie", "proxy-authorization"} & set(sent.headers)
        assert sent.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed_within_what_is_allowed(client: httpx.AsyncClient, status: int) -> None:
    async with (
        serving(always(response(b"here"))) as there,
        serving(redirecting(lambda _: f"{there.url}/moved", status=status)) as site,
    ):
        assert await collected(HttpSource(client, [site.host, there.host]).stream(f"{site.url}/a")) == b"here"
        assert "authorization" not in there.requests[0].headers


async def test_a_relative_redirect_stays_on_its_host(client: httpx.AsyncClient) -> None:
    async def answer(request: Request) -> AsyncIterator[bytes]:
        moved = response(status=302, headers={"location": "../b"})
        yield response(b"here") if request.target == "/b" else moved

    async with serving(answer) as site:
        assert await collected(HttpSource(client, [site.host]).stream(f"{site.url}/x/a")) == b"here"


async def test_a_redirect_to_another_host_is_not_followed(client: httpx.AsyncClient) -> None:
    async with serving(always(response(b"secret"))) as inner, serving(redirecting(lambda _: inner.url)) as site:
        with pytest.raises(SourceRefused):
            await collected(HttpSource(client, [site.host]).stream(site.url))
        assert inner.requests == []


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "http://169.254.169.254/latest", "", "http://[", "gopher://x"]
)
async def test_a_redirect_to_something_odd_is_not_followed(client: httpx.AsyncClient, location: str) -> None:
    async with serving(redirecting(lambda _: location)) as site:
        with pytest.raises(SourceRefused):
            await collected(HttpSource(client, [site.host]).stream(site.url))


async def test_redirects_end_after_three(client: httpx.AsyncClient) -> None:
    async with serving(redirecting(lambda request: f"{request.target}x")) as site:
        with pytest.raises(SourceRefused, match="more than 3"):
            await collected(HttpSource(client, [site.host]).stream(f"{site.url}/"))
        assert len(site.requests) == 4


STATUSES: list[tuple[int, type[Exception]]] = [
    *((status, SourceGone) for status in (403, 404, 410)),
    *((status, SourceRefused) for status in (204, 206, 304, 400, 401, 418)),
    *((status, SourceFailed) for status in (408, 425, 429, 500, 502, 503)),
]


@pytest.mark.parametrize(("status", "error"), STATUSES)
async def test_a_status_says_whether_trying_again_can_help(
    client: httpx.AsyncClient, status: int, error: type[Exception]
) -> None:
    async with serving(always(response(status=status))) as site:
        with pytest.raises(error) as raised:
            await collected(HttpSource(client, [site.host]).stream(site.url))
    assert type(raised.value) is error
    assert getattr(raised.value, "retryable") is (error is SourceFailed)  # noqa: B009


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n", b"only this"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"5\r\nhello\r\n"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"zz\r\n"),
        (b"HTTP/1.1 200 OK\r\ncont",),
        (b"this is not HTTP\r\n\r\n",),
        (),
    ],
)
async def test_a_broken_transfer_is_an_error_that_may_pass(
    client: httpx.AsyncClient, pieces: tuple[bytes, ...]
) -> None:
    async with serving(always(*pieces)) as site:
        with pytest.raises(SourceFailed):
            await collected(HttpSource(client, [site.host]).stream(site.url))


async def test_nobody_listening_is_an_error_that_may_pass(client: httpx.AsyncClient) -> None:
    async with serving(always()) as site:
        pass
    with pytest.raises(SourceFailed):
        await collected(HttpSource(client, [site.host]).stream(site.url))


async def test_a_body_in_an_encoding_is_refused(client: httpx.AsyncClient) -> None:
    async with serving(always(response(b"\x1f\x8b\x08", headers={"content-encoding": "gzip"}))) as site:
        with pytest.raises(SourceRefused, match="gzip"):
            await collected(HttpSource(client, [site.host]).stream(site.url))


async def test_silence_ends_at_the_read_timeout(client: httpx.AsyncClient) -> None:
    async def answer(_: Request) -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello"
        await asyncio.Event().wait()

    async with serving(answer) as site:
        with pytest.raises(SourceFailed, match="silent"):
            await collected(HttpSource(client, [site.host], read_timeout_s=0.2).stream(site.url))


async def test_a_trickle_ends_at_the_deadline(client: httpx.AsyncClient) -> None:
    async def answer(_: Request) -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"
        while True:
            yield b"."
            await asyncio.sleep(0.02)

    async with serving(answer) as site:
        with pytest.raises(SourceFailed, match="within its time"):
            await collected(HttpSource(client, [site.host], read_timeout_s=30, deadline_s=0.5).stream(site.url))


async def test_a_stream_that_is_given_up_closes_its_connection(client: httpx.AsyncClient) -> None:
    gone = asyncio.Event()

    async def answer(_: Request) -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n"
        try:
            while True:
                yield bytes(MIB)
        finally:
            gone.set()

    async with serving(answer) as site:
        stream = HttpSource(client, [site.host]).stream(site.url)
        assert await anext(stream)
        await stream.aclose()
        await asyncio.wait_for(gone.wait(), 30)


ALLOWED = [
    "replicate.delivery",
    "*.replicate.delivery",
    "files.example.com:8443",
    "127.0.0.1:5000",
    "localhost:5001",
    "[::1]:5002",
]


@pytest.mark.parametrize(
    "url",
    [
        "https://replicate.delivery/x.png",
        "https://replicate.delivery:443/x.png",
        "https://REPLICATE.delivery/x.png",
        "https://pbxt.replicate.delivery/x.png",
        "https://a.b.replicate.delivery/x.png",
        "https://files.example.com:8443/",
        "http://127.0.0.1:5000/x",
        "https://127.0.0.1:5000/x",
        "http://localhost:5001/x",
        "http://[::1]:5002/x",
    ],
)
def test_allowed_addresses(url: str) -> None:
    assert HostList(ALLOWED).check(url) == httpx.URL(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://replicate.delivery/x.png",
        "https://replicate.delivery:8443/x.png",
        "https://evilreplicate.delivery/x.png",
        "https://replicate.delivery.evil.example/x.png",
        "https://replicate.delivery./x.png",
        "https://files.example.com/",
        "https://user@replicate.delivery/x.png",
        "https://user:password@replicate.delivery/x.png",
        "https://replicate.delivery@evil.example/",
        "https://evil.example#@replicate.delivery/",
        "https://evil.example\\@replicate.delivery/",
        "http://127.0.0.1:5001/x",
        "http://127.0.0.1/x",
        "http://127.0.0.2:5000/x",
        "http://0.0.0.0:5000/x",
        "http://2130706433:5000/x",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:127.0.0.1]:5000/x",
        "ftp://replicate.delivery/x",
        "file:///etc/passwd",
        "//replicate.delivery/x",
        "replicate.delivery/x",
        "javascript:alert(1)",
        "https://",
        "https://[::1",
        "",
        " ",
        "https://replicate.delivery:99999/",
    ],
)
def test_all_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(SourceRefused):
        HostList(ALLOWED).check(url)


def test_a_refusal_does_not_repeat_what_is_secret_in_the_url() -> None:
    with pytest.raises(SourceRefused) as refused:
        HostList([]).check("https://user:hunter2@evil.example/x?signature=hunter3")
    assert "hunter" not in refused.value.detail


@pytest.mark.parametrize(
    "entry", ["", "*", "*.", "https://example.com", "example.com/path", "a.*.com", "user@example.com", "x:y"]
)
def test_an_entry_that_is_not_understood_is_refused_at_start(entry: str) -> None:
    with pytest.raises(ConfigurationError):
        HostList([entry])


@pytest.fixture
def anywhere(client: httpx.AsyncClient) -> HttpSource:
    return HttpSource(client, [])


@pytest.mark.parametrize("size", [0, 1, 2, 3, 1000, 600_000])
async def test_data_uris_in_base64(anywhere: HttpSource, size: int) -> None:
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    encoded = base64.b64encode(data).decode()
    assert await collected(anywhere.stream(f"data:image/png;base64,{encoded}")) == data
    assert await collected(anywhere.stream(f"DATA:;BASE64,{encoded.replace('+', '%2B').replace('=', '%3D')}")) == data


async def test_data_uris_in_plain_text(anywhere: HttpSource) -> None:
    assert await collected(anywhere.stream("data:,hello%20w%C3%B6rld,+")) == "hello wörld,+".encode()


@pytest.mark.parametrize(
    "uri",
    [
        "data:",
        "data:image/png;base64",
        "data:;base64,####",
        "data:;base64,abc",
        "data:;base64,aGk=aGk=",
        "data:;base64,é",
    ],
)
async def test_broken_data_uris_are_refused(anywhere: HttpSource, uri: str) -> None:
    with pytest.raises(SourceRefused):
        await collected(anywhere.stream(uri))
