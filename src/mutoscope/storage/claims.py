"""One writer at a time per key of a bucket, by a small object that only one can create.

Why: obstore cannot complete a multipart upload on condition that the key is free, and not every server decides such a
condition on a copy or a completion in one step (SeaweedFS 4.48 let five of five win). The conditional PUT of a small
object is what they do decide in one step.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from mutoscope.core.ids import new_secret
from mutoscope.storage.base import StorageError

CLAIM_LIFE_S = 150.0
"""A claim that was watched for so long was left by a process that died; what is done under one must be done sooner."""
_LOOK_AGAIN_S = 0.1


@asynccontextmanager
async def claimed(store: S3Store, folder: str, key: str, *, life_s: float = CLAIM_LIFE_S) -> AsyncGenerator[None]:
    """Be the only one who writes ``key`` for the length of the ``with``, waiting for others first.

    Args:
        store: The bucket.
        folder: Where the claims lie in it.
        key: What is claimed.
        life_s: How long to watch another's claim before it counts as abandoned.

    Raises:
        StorageError: Others kept it for longer than twice that.
        BaseError, OSError: obstore's own, when the store fails.
    """
    path = f"{folder}/claim-{hashlib.sha256(key.encode()).hexdigest()[:40]}"
    try:
        async with asyncio.timeout(2 * life_s):
            await _take(store, path, new_secret().encode(), life_s)
    except TimeoutError as late:
        raise StorageError(f"Others have been writing {key} for more than {2 * life_s:g} s.") from late
    try:
        yield
    finally:
        # If this fails, the claim counts as abandoned after its life.
        with suppress(BaseError, OSError):
            await obstore.delete_async(store, path)


async def _take(store: S3Store, path: str, token: bytes, life_s: float) -> None:
    loop = asyncio.get_running_loop()
    seen, since = None, loop.time()
    while True:
        with suppress(AlreadyExistsError):
            await obstore.put_async(store, path, token, mode="create")
            return
        holder = await _holder(store, path)
        if holder == token:
            return  # our own first try arrived and only its answer was lost
        if holder != seen:
            seen, since = holder, loop.time()
        elif loop.time() - since > life_s:
            await obstore.delete_async(store, path)
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _holder(store: S3Store, path: str) -> bytes | None:
    with suppress(FileNotFoundError):
        return bytes(await (await obstore.get_async(store, path)).bytes_async())
    return None
