"""Speaks Cog's HTTP API (https://github.com/replicate/cog, docs/http.md) as far as it is needed here."""

from typing import Any, cast

import httpx

from mutoscope.replicate_protocol.schemas import JsonSchema, component

_SHORT_S = 5.0


class CogClient:
    """One Cog server."""

    def __init__(self) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=16)
        self._http = httpx.AsyncClient(timeout=_SHORT_S, limits=limits, trust_env=False)

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def health(self, url: str) -> str:
        """What it says of itself, such as ``READY``, ``BUSY`` or ``UNHEALTHY``; ``GONE`` if there is no answer."""
        try:
            answer = await self._http.get(f"{url}/health-check")
            return str(answer.json()["status"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return "GONE"

    async def schema(self, url: str) -> JsonSchema | None:
        """Its document, or ``None``: without a schema file Cog has none to show. Raises ``httpx.HTTPError``."""
        answer = await self._http.get(f"{url}/openapi.json")
        if answer.status_code != 200:
            return None
        document: object = answer.json()
        if not isinstance(document, dict) or component(cast("JsonSchema", document), "Input") is None:
            return None
        return cast("JsonSchema", document)

    async def predict(self, url: str, prediction_id: str, body: dict[str, Any]) -> httpx.Response:
        """Run one prediction to its end. Leaving early closes the connection, and so cancels it there.

        Raises:
            httpx.HTTPError: No answer came.
        """
        timeout = httpx.Timeout(_SHORT_S, read=None, write=60)
        return await self._http.put(f"{url}/predictions/{prediction_id}", json=body, timeout=timeout)

    async def cancel(self, url: str, prediction_id: str) -> None:
        """Ask for an end; it is no error if there is nothing to end, or nobody to ask."""
        try:
            await self._http.post(f"{url}/predictions/{prediction_id}/cancel")
        except httpx.HTTPError:
            return
