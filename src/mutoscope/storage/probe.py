"""Proves that a store keeps the promises of the port, by writing, reading and deleting a few bytes."""

from collections.abc import AsyncIterator

from mutoscope.core.ids import new_id
from mutoscope.storage.base import ObjectExists, ObjectMissing, ObjectStore, StorageError

_BYTES = b"Mutoscope checks that this store can be used. This file may be deleted.\n"


async def prove(store: ObjectStore) -> None:
    """Write, write again (which must be refused), read and delete a small object under ``mutoscope-check/``.

    Raises:
        StorageError: Saying which of them did not go as it must.
    """
    key = f"mutoscope-check/{new_id('probe')}.txt"
    await store.put(key, _once(_BYTES), media_type="text/plain")
    try:
        await _must_refuse_a_second_write(store, key)
        try:
            back = b"".join([chunk async for chunk in store.read(key)])
        except ObjectMissing as missing:
            raise StorageError(f"The store lost a file that it had just accepted: {missing.detail}") from missing
        if back != _BYTES:
            raise StorageError("The store gave back other bytes than were written.")
    finally:
        await store.delete(key)


async def _must_refuse_a_second_write(store: ObjectStore, key: str) -> None:
    try:
        await store.put(key, _once(b"second"), media_type="text/plain")
    except ObjectExists:
        return
    raise StorageError(
        "The store overwrites files: it ignores conditional writes (If-None-Match). Use one that honours them."
    )


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
