"""Takes away what is older than the retention: inputs, outputs, logs, files and uploads."""

import asyncio
import time

from mutoscope.runner.files import Files
from mutoscope.runner.store import Store
from mutoscope.runner.uploads import Uploads

_BATCH = 100


async def sweep(store: Store, files: Files, uploads: Uploads, retention_s: float) -> None:
    """Look again and again until cancelled; at least four times per retention."""
    interval_s = min(30.0, retention_s / 4)
    while True:
        more = _sweep_once(store, files, uploads, time.time(), retention_s)
        await asyncio.sleep(0 if more else interval_s)


def _sweep_once(store: Store, files: Files, uploads: Uploads, now: float, retention_s: float) -> bool:
    expired = store.expired(now - retention_s, _BATCH)
    for record in expired:
        record.input, record.output, record.logs, record.data_removed = {}, None, "", True
        files.remove_outputs(record.folder)
        store.remove_data(record)
    old = store.expired_uploads(now, _BATCH)
    for upload_id in old:
        uploads.delete(upload_id)
    return len(expired) == _BATCH or len(old) == _BATCH
