"""Does Inngest know our functions, and do we reach it? Asked the way `serve` itself announces them."""

from collections.abc import Sequence

import httpx

from mutoscope.cli.results import Result
from mutoscope.core.errors import MutoscopeError
from mutoscope.core.settings import Settings
from mutoscope.driving import INNGEST_PATH, announce

NAME = "Inngest"
SERVER = "Inngest server"


async def check(settings: Settings) -> Sequence[Result]:
    """The server answers, and takes our functions."""
    base_url = settings.inngest_base_url
    found = [await _server(base_url)] if base_url else []
    origin = settings.inngest_serve_origin or settings.public_url
    if origin is None:
        todo = "Set INNGEST_SERVE_ORIGIN to where the Inngest server reaches `mutoscope serve`."
        return [*found, Result(NAME, "advice", "no address is set; it is told the one that serve listens at", todo)]
    return [*found, await _announced(f"{origin.rstrip('/')}{INNGEST_PATH}")]


async def _server(base_url: str) -> Result:
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
            answer = await http.get(f"{base_url.rstrip('/')}/health")
    except httpx.HTTPError as error:
        todo = "Start it, or correct INNGEST_BASE_URL."
        return Result(SERVER, "failed", f"{base_url} does not answer: {error}"[:300], todo)
    if answer.is_error:
        return Result(SERVER, "failed", f"{base_url} answers {answer.status_code}", "Correct INNGEST_BASE_URL.")
    return Result(SERVER, "ok", f"{base_url} answers")


async def _announced(url: str) -> Result:
    try:
        await announce(url)
    except MutoscopeError as error:
        todo = "Start `mutoscope serve`, and check INNGEST_SERVE_ORIGIN, INNGEST_SIGNING_KEY and INNGEST_BASE_URL."
        return Result(NAME, "failed", error.detail[:300], todo)
    return Result(NAME, "ok", f"the functions at {url} are known to the server")
