"""Offers a model anew when its file, or another Python file beside it, has changed."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from mutoscope.core.errors import ConfigurationError
from mutoscope.runner.models.base import Model
from mutoscope.runner.predictors.describe import describe_meanwhile
from mutoscope.runner.predictors.load import is_source, split_reference

_INTERVAL_S = 0.5
_PATIENCE_S = 5
_log = logging.getLogger(__name__)


async def reload_on_change(name: str, reference: str, replace: Callable[[Model], Awaitable[None]]) -> None:
    """Look again and again until cancelled; what cannot be loaded is logged, and the model stays as it was.

    A change while an earlier one is being imported ends that import, which may hang.
    """
    directory = split_reference(reference)[0].resolve().parent
    seen = await asyncio.to_thread(_state, directory)
    pending: asyncio.Task[None] | None = None
    async with asyncio.TaskGroup() as tasks:
        while True:
            await asyncio.sleep(_INTERVAL_S)
            now = await asyncio.to_thread(_state, directory)
            if now == seen:
                continue
            seen = now
            if pending and not pending.done():
                pending.cancel()
                await asyncio.wait([pending])
                _log.info("the import of a model was ended for a newer change", extra={"model": name})
            pending = tasks.create_task(_load_again(name, reference, replace))


async def _load_again(name: str, reference: str, replace: Callable[[Model], Awaitable[None]]) -> None:
    late = asyncio.get_running_loop().call_later(_PATIENCE_S, _tell_late, name)
    try:
        model = await describe_meanwhile(name, reference)
    except (ConfigurationError, OSError) as error:
        _log.warning("a model could not be loaded again", extra={"model": name, "why": str(error)})
        return
    finally:
        late.cancel()
    await replace(model)
    _log.info("a model was loaded again", extra={"model": name, "version": model.version})


def _tell_late(name: str) -> None:
    _log.warning("the import of a changed model takes long", extra={"model": name, "seconds": _PATIENCE_S})


def _state(directory: Path) -> dict[str, tuple[int, int]]:
    """When each Python file was last written, and how large it is; environments and caches are left out."""
    state: dict[str, tuple[int, int]] = {}
    for place, folders, names in os.walk(directory):
        folders[:] = [one for one in folders if is_source(Path(place, one), directory)]
        for name in names:
            if name.endswith(".py"):
                with suppress(OSError):  # deleted in this moment
                    found = Path(place, name).stat()
                    state[f"{place}/{name}"] = (found.st_mtime_ns, found.st_size)
    return state
