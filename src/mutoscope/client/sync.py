"""The same client for programs without an event loop: it runs the asynchronous one on a thread of its own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from mutoscope.client.aio import WAIT_S, AsyncClient, OnProgress
from mutoscope.client.shapes import Account, Balance, File, Generation, Key, Lot, Model, NewKey, Quote, Status, Transfer

T = TypeVar("T")


class Client:
    """``AsyncClient``, whose methods return when they are done. May be shared between threads; close it after use.

    Callbacks are called on the client's own thread.
    """

    def __init__(self, base_url: str, api_key: str, account: str | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mutoscope-client", daemon=True)
        self._thread.start()
        self._client = self._run(_make(base_url, api_key, account))

    def generate(  # noqa: PLR0913 - as AsyncClient has it
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
        """See ``AsyncClient.generate``."""
        return self._run(
            self._client.generate(
                model,
                input,
                metadata=metadata,
                idempotency_key=idempotency_key,
                wait=wait,
                timeout_s=timeout_s,
                on_progress=on_progress,
            )
        )

    def wait(
        self, generation_id: str, *, timeout_s: float = WAIT_S, on_progress: OnProgress | None = None
    ) -> Generation:
        """See ``AsyncClient.wait``."""
        return self._run(self._client.wait(generation_id, timeout_s=timeout_s, on_progress=on_progress))

    def get(self, generation_id: str, *, wait_s: int = 0) -> Generation:
        """See ``AsyncClient.get``."""
        return self._run(self._client.get(generation_id, wait_s=wait_s))

    def list(self, *, status: Status | None = None, model: str | None = None) -> Iterator[Generation]:
        """See ``AsyncClient.list``."""
        return self._iterate(self._client.list(status=status, model=model))

    def cancel(self, generation_id: str) -> Generation:
        """See ``AsyncClient.cancel``."""
        return self._run(self._client.cancel(generation_id))

    def models(self) -> Sequence[Model]:
        """See ``AsyncClient.models``."""
        return self._run(self._client.models())

    def model(self, alias: str) -> Model:
        """See ``AsyncClient.model``."""
        return self._run(self._client.model(alias))

    def quote(self, model: str, input: Mapping[str, Any]) -> Quote:  # noqa: A002 - Replicate's word
        """See ``AsyncClient.quote``."""
        return self._run(self._client.quote(model, input))

    def credits(self) -> Sequence[Balance]:
        """See ``AsyncClient.credits``."""
        return self._run(self._client.credits())

    def transfers(self, *, credit_type: str | None = None) -> Iterator[Transfer]:
        """See ``AsyncClient.transfers``."""
        return self._iterate(self._client.transfers(credit_type=credit_type))

    def download(self, file: File, path: str | Path) -> Path:
        """See ``AsyncClient.download``."""
        return self._run(self._client.download(file, path))

    def create_account(self, external_id: str, *, name: str | None = None) -> Account:
        """See ``AsyncClient.create_account``."""
        return self._run(self._client.create_account(external_id, name=name))

    def accounts(self) -> Iterator[Account]:
        """See ``AsyncClient.accounts``."""
        return self._iterate(self._client.accounts())

    def create_key(self, account: str, *, name: str | None = None) -> NewKey:
        """See ``AsyncClient.create_key``."""
        return self._run(self._client.create_key(account, name=name))

    def keys(self, account: str) -> Iterator[Key]:
        """See ``AsyncClient.keys``."""
        return self._iterate(self._client.keys(account))

    def revoke_key(self, key_id: str) -> Key:
        """See ``AsyncClient.revoke_key``."""
        return self._run(self._client.revoke_key(key_id))

    def grant(
        self,
        account: str,
        amount: int,
        *,
        external_id: str,
        credit_type: str = "image_generation",
        source: str = "promo",
    ) -> Lot:
        """See ``AsyncClient.grant``."""
        return self._run(
            self._client.grant(account, amount, external_id=external_id, credit_type=credit_type, source=source)
        )

    def close(self) -> None:
        """Close connections and end the thread. Doing it again does nothing."""
        if self._loop.is_closed():
            return
        self._run(self._client.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        running = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return running.result()
        except BaseException:  # Ctrl-C while we wait: what runs on the other thread is to end too
            running.cancel()
            raise

    def _iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        while True:
            found = self._run(_next(items))
            if not found:
                return
            yield found[0]


async def _make(base_url: str, api_key: str, account: str | None) -> AsyncClient:
    return AsyncClient(base_url, api_key, account)


async def _next(items: AsyncIterator[T]) -> tuple[T] | None:
    try:
        return (await anext(items),)
    except StopAsyncIteration:
        return None
