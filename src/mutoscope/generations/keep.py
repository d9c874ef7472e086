"""The step ``store``.

Stream every file of the output into storage, then write down what is there. Completed means stored.
"""

import asyncio
from datetime import datetime
from typing import Any

from sqlalchemy import insert

from mutoscope.core.errors import MutoscopeError
from mutoscope.db.base import table
from mutoscope.generations import outputs
from mutoscope.generations.failures import Failure
from mutoscope.generations.machine import Machine
from mutoscope.generations.models import Generation, OutputFile
from mutoscope.generations.states import Phase
from mutoscope.generations.transitions import move
from mutoscope.storage.intake import OutputRejected, TakenIn, take_in
from mutoscope.storage.keys import InvalidKey
from mutoscope.storage.sources import SourceGone, SourceRefused

PARALLEL_FILES = 4
_files = table(OutputFile)


async def store(machine: Machine, row: Generation) -> Generation:
    """Bring the files in. A failure that may pass is tried again until the store deadline; no other is."""
    if outputs.is_empty(row.prediction_output):
        return await machine.fail(row, Failure("no_output", "The model succeeded but returned nothing."))
    machine.kill.reach("put.before_call")
    try:
        sources = _sources(machine, row)
        taken = await _take_all(machine, row, sources)
    except (OutputRejected, SourceRefused, InvalidKey) as error:
        return await machine.fail(row, Failure(_code(error), error.detail))
    except MutoscopeError as error:
        if row.store_deadline and machine.clock.now() >= row.store_deadline:
            text = f"The result could not be stored in time: {error.detail}"
            return await machine.fail(row, Failure("storage_failed", text))
        raise
    machine.kill.reach("put.after_call")
    return await _write_down(machine, row, sources, taken)


def _sources(machine: Machine, row: Generation) -> list[str]:
    is_file = machine.is_file if row.terms.get("gives_files", True) else _is_no_file
    found = outputs.find_files(row.prediction_output, is_file)
    most = machine.settings(row).max_files
    if len(found) > most:
        raise OutputRejected(f"The model returned {len(found)} files; at most {most} are allowed.")
    return found


def _is_no_file(_: str) -> bool:
    return False


async def _write_down(machine: Machine, row: Generation, sources: list[str], taken: list[TakenIn]) -> Generation:
    """The files and the outcome in one commit. The provider's own output, with its links and data, is let go."""
    now = machine.clock.now()
    output = outputs.replace_files(row.prediction_output, {source: number for number, source in enumerate(sources)})
    values: dict[str, Any] = {"outcome": "completed", "output": output, "prediction_output": None}
    async with machine.commit("stored") as session:
        moved = await move(session, row, Phase.SETTLE, now=now, due=now, **values)
        if taken:
            await session.execute(insert(_files), [_file(row, number, file, now) for number, file in enumerate(taken)])
    return moved


async def _take_all(machine: Machine, row: Generation, sources: list[str]) -> list[TakenIn]:
    settings = machine.settings(row)
    places = asyncio.Semaphore(PARALLEL_FILES)

    async def take(number: int, source: str) -> TakenIn:
        async with places:
            return await take_in(
                machine.store,
                lambda: machine.open_source(source),
                prefix=f"{machine.policy.storage_prefix}/{row.account_id}/{row.id}/{number}",
                max_bytes=settings.max_file_bytes,
                allowed_media_types=settings.media_types,
            )

    # Not `except*`: what that raises is wrapped in a group again by Python 3.11.0 to 3.11.3.
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(take(number, source)) for number, source in enumerate(sources)]
    except ExceptionGroup as errors:
        known, unknown = errors.split(MutoscopeError)
        if known is None or unknown is not None:
            raise
        raise known.exceptions[0] from errors
    return [task.result() for task in tasks]


def _file(row: Generation, number: int, taken: TakenIn, now: datetime) -> dict[str, Any]:
    return {
        "generation_id": row.id,
        "number": number,
        "key": taken.key,
        "size_bytes": taken.size_bytes,
        "sha256": taken.sha256,
        "media_type": taken.media_type,
        "created_at": now,
    }


def _code(error: MutoscopeError) -> str:
    return "output_expired" if isinstance(error, SourceGone) else error.code
