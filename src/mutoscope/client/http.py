"""How the client talks: retries that cannot buy twice, problems as exceptions, downloads that are checked."""

import asyncio
import hashlib
import ipaddress
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import httpx
from pydantic import BaseModel

from mutoscope import __version__
from mutoscope.client.errors import ApiError, DownloadFailed, NotMutoscope, Unreachable
from mutoscope.client.shapes import File

TRIES = 5
FIRST_WAIT_S = 0.25
MAX_WAIT_S = 30.0
TIMEOUT = httpx.Timeout(30, connect=10)
AGAIN = (429, 503)


class Http:
    """One service, one key.

    Args:
        base_url: Where the service is, such as ``http://127.0.0.1:8000``.
        api_key: Sent to ``base_url`` only, never with a download.
        account: With an operator's key: the account to act for, by its id or external id.
    """

    def __init__(self, base_url: str, api_key: str, account: str | None) -> None:
        headers = {"Authorization": f"Bearer {api_key}", "User-Agent": f"mutoscope-python/{__version__}"}
        raw = {name.encode(): value.encode() for name, value in headers.items()}
        if account is not None:
            raw[b"Mutoscope-Account"] = account.encode()
        # A proxy on the way to this machine itself would only be in the way.
        through_proxy = not is_loopback(base_url)
        base = base_url.rstrip("/").removesuffix("/v1")
        self._api = httpx.AsyncClient(
            base_url=f"{base}/v1/", headers=list(raw.items()), timeout=TIMEOUT, trust_env=through_proxy
        )
        self._web = httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=True, trust_env=through_proxy)

    async def call(  # noqa: PLR0913 - each is a part of the request
        self,
        method: str,
        path: str,
        *,
        repeatable: bool = True,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        wait_s: float = 0,
    ) -> Any:
        """Ask, and give the answer's JSON.

        Args:
            method: Of HTTP.
            path: After ``/v1/``.
            repeatable: Whether asking twice does no more than asking once.
            json: The body.
            params: The query; what is ``None`` is left out.
            headers: More headers.
            wait_s: How much longer than usual the answer may take.

        Raises:
            ApiError: The service said no.
            Unreachable: No answer came.
            NotMutoscope: The answer is not JSON.
        """
        content = json.model_dump(mode="json") if isinstance(json, BaseModel) else json
        query = {name: value for name, value in (params or {}).items() if value is not None}
        timeout = httpx.Timeout(30 + wait_s, connect=10)
        for attempt in range(1, TRIES + 1):
            last = attempt == TRIES or not repeatable
            try:
                answer = await self._api.request(
                    method, path, json=content, params=query, headers=headers, timeout=timeout
                )
            except httpx.TransportError as error:
                if last:
                    raise Unreachable(f"{self._api.base_url} did not answer: {_words(error)}") from error
                await asyncio.sleep(_wait_s(attempt))
                continue
            if answer.is_success:
                return self._value(answer)
            if last or answer.status_code not in AGAIN:
                raise _problem(answer)
            await asyncio.sleep(_wait_s(attempt, answer.headers.get("retry-after")))
        raise AssertionError("the last try returns or raises")

    def not_mutoscope(self, why: str) -> NotMutoscope:
        """The error for an answer that no service of ours gives."""
        return NotMutoscope(f"{self._api.base_url} is not a Mutoscope service, or not one for this client: {why}.")

    def _value(self, answer: httpx.Response) -> Any:
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise self.not_mutoscope("its answer is not JSON") from error

    async def download(self, file: File, path: Path) -> Path:
        """Stream a stored file to ``path``, whole and checked or not at all.

        Raises:
            DownloadFailed: The link is no longer good, or other bytes came than were stored.
        """
        draft = path.with_name(f".{path.name}.part")
        digest = hashlib.sha256()
        try:
            async with self._web.stream("GET", file.url) as answer:
                if not answer.is_success:
                    raise DownloadFailed(f"{file.url} answered {answer.status_code}; ask for a fresh link.")
                with draft.open("wb") as out:
                    async for chunk in answer.aiter_bytes():
                        digest.update(chunk)
                        out.write(chunk)
            if digest.hexdigest() != file.sha256:
                raise DownloadFailed(f"{file.url} gave other bytes than were stored.")
            return draft.replace(path)
        except httpx.HTTPError as error:
            raise DownloadFailed(f"{file.url} could not be fetched: {_words(error)}") from error
        finally:
            draft.unlink(missing_ok=True)

    async def aclose(self) -> None:
        """Close connections."""
        await self._api.aclose()
        await self._web.aclose()


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine itself."""
    host = httpx.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _problem(answer: httpx.Response) -> ApiError:
    try:
        body = answer.json()
    except ValueError:
        body = None
    said = cast("dict[str, Any]", body) if isinstance(body, dict) else {"detail": answer.text[:200]}
    return ApiError(answer.status_code, said)


def _wait_s(attempt: int, said: str | None = None) -> float:
    """As long as the service said, else longer each time; never the same for all, and never too long."""
    backoff_s = FIRST_WAIT_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - not a secret
    asked_s = float(said) if said and said.isdigit() else 0.0
    return min(max(backoff_s, asked_s), MAX_WAIT_S)


def _words(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()
