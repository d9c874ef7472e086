"""The client for programs with an event loop."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from mutoscope.client.http import Http
from mutoscope.client.shapes import (
    Account,
    Balance,
    Balances,
    File,
    Generation,
    Key,
    Lot,
    Model,
    NewKey,
    Page,
    Quote,
    Shape,
    Status,
    Transfer,
)

LONG_POLL_S = 25
PROGRESS_EVERY_S = 0.3
WAIT_S = 3600.0

OnProgress = Callable[[Generation], None]
S = TypeVar("S", bound=Shape)


class AsyncClient:
    """Talks to one service with one key.

    Args:
        base_url: Where the service is, such as ``http://127.0.0.1:8000``.
        api_key: An account's key, or an operator's.
        account: With an operator's key: the account to act for, by its id or external id.

    Every method raises ``ApiError`` when the service says no, ``Unreachable`` when it does not answer, and
    ``NotMutoscope`` when what answers is something else. Whatever can
    be repeated without harm is tried a few times.
    """

    def __init__(self, base_url: str, api_key: str, account: str | None = None) -> None:
        self._http = Http(base_url, api_key, account)

    async def generate(  # noqa: PLR0913 - each says one thing about the call
        self,
        model: str,
        input: Mapping[str, Any],  # noqa: A002 - Replicate's word
        *,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        wait: bool = True,
        timeout_s: float = WAIT_S,
        on_progress: OnProgress | None = None,
    ) -> Generation:
        """Ask for a generation and, with ``wait``, give it once it has ended, well or not.

        Args:
            model: An alias of the catalog.
            input: The model's input.
            metadata: Your own notes.
            idempotency_key: The same key gives the same generation. Left out, a fresh one makes retries safe.
            wait: Whether to wait for the end.
            timeout_s: How long to wait. The generation itself goes on after a ``TimeoutError``.
            on_progress: Called with the generation a few times a second, and at its end.
        """
        body = {"model": model, "input": dict(input), "metadata": dict(metadata or {})}
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        made = await self._one(Generation, "POST", "generations", json=body, headers=headers)
        return await self.wait(made.id, timeout_s=timeout_s, on_progress=on_progress) if wait else made

    async def wait(
        self, generation_id: str, *, timeout_s: float = WAIT_S, on_progress: OnProgress | None = None
    ) -> Generation:
        """A generation once it has ended. Raises ``TimeoutError`` after ``timeout_s`` seconds."""
        async with asyncio.timeout(timeout_s):
            while True:
                shown = await self.get(generation_id, wait_s=0 if on_progress else LONG_POLL_S)
                if on_progress:
                    on_progress(shown)
                if shown.ended:
                    return shown
                if on_progress:
                    await asyncio.sleep(PROGRESS_EVERY_S)

    async def get(self, generation_id: str, *, wait_s: int = 0) -> Generation:
        """A generation as it is, or when it has ended, within ``wait_s`` (at most 60) seconds."""
        headers = {"Prefer": f"wait={wait_s}"} if wait_s else None
        return await self._one(Generation, "GET", f"generations/{_part(generation_id)}", headers=headers, wait_s=wait_s)

    def list(self, *, status: Status | None = None, model: str | None = None) -> AsyncIterator[Generation]:
        """The account's generations, newest first."""
        return self._pages(Page[Generation], "generations", "before", {"status": status, "model": model})

    async def cancel(self, generation_id: str) -> Generation:
        """Ask for a generation's end."""
        return await self._one(Generation, "POST", f"generations/{_part(generation_id)}/cancel")

    async def models(self) -> Sequence[Model]:
        """Everything that can be run."""
        return (await self._one(Page[Model], "GET", "models")).data

    async def model(self, alias: str) -> Model:
        """One model, with its schemas."""
        return await self._one(Model, "GET", f"models/{_part(alias)}")

    async def quote(self, model: str, input: Mapping[str, Any]) -> Quote:  # noqa: A002 - Replicate's word
        """What a run would cost at most."""
        return await self._one(Quote, "POST", "quotes", json={"model": model, "input": dict(input)})

    async def credits(self) -> Sequence[Balance]:
        """What the account has, by credit type."""
        return (await self._one(Balances, "GET", "credits")).data

    def transfers(self, *, credit_type: str | None = None) -> AsyncIterator[Transfer]:
        """Every movement of the account's credits, newest first."""
        return self._pages(Page[Transfer], "credits/transfers", "before", {"credit_type": credit_type})

    async def download(self, file: File, path: str | Path) -> Path:
        """Save a stored file, whole and checked. Raises ``DownloadFailed``."""
        return await self._http.download(file, Path(path))

    async def create_account(self, external_id: str, *, name: str | None = None) -> Account:
        """For operators: the account of your user, made if it is new."""
        return await self._one(Account, "POST", "accounts", json={"external_id": external_id, "name": name})

    def accounts(self) -> AsyncIterator[Account]:
        """For operators: all accounts, oldest first."""
        return self._pages(Page[Account], "accounts", "after", {})

    async def create_key(self, account: str, *, name: str | None = None) -> NewKey:
        """For operators: a key of an account. Not repeated on its own, since each call makes another one."""
        path = f"accounts/{_part(account)}/keys"
        return await self._one(NewKey, "POST", path, json={"name": name}, repeatable=False)

    def keys(self, account: str) -> AsyncIterator[Key]:
        """For operators: an account's keys."""
        return self._pages(Page[Key], f"accounts/{_part(account)}/keys", "after", {})

    async def revoke_key(self, key_id: str) -> Key:
        """For operators: end a key."""
        return await self._one(Key, "DELETE", f"keys/{_part(key_id)}")

    async def grant(
        self,
        account: str,
        amount: int,
        *,
        external_id: str,
        credit_type: str = "image_generation",
        source: str = "promo",
    ) -> Lot:
        """For operators: give credits, once per ``external_id``."""
        body = {"amount": amount, "external_id": external_id, "credit_type": credit_type, "source": source}
        return await self._one(Lot, "POST", f"accounts/{_part(account)}/grants", json=body)

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def _one(self, shape: type[S], method: str, path: str, **request: Any) -> S:
        try:
            return shape.model_validate(await self._http.call(method, path, **request))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the whole"
            raise self._http.not_mutoscope(
                f"its answer to {path} has another shape ({place}: {first['msg']})"
            ) from error

    async def _pages(
        self, shape: type[Page[S]], path: str, cursor_name: str, params: Mapping[str, str | None]
    ) -> AsyncIterator[S]:
        cursor: str | None = None
        while True:
            page = await self._one(shape, "GET", path, params={**params, cursor_name: cursor, "limit": "50"})
            for item in page.data:
                yield item
            cursor = page.next_cursor
            if cursor is None:
                return


def _part(text: str) -> str:
    return quote(text, safe="")
