"""Check that generations, holds, attempts and stored files agree, and say where they do not.

Reads only. Every check is a set-based query or a walk in pages, so that it works on millions of rows. Rows that are
under way are judged only by what must hold at every instant.
"""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.core.findings import Finding
from mutoscope.db.base import table
from mutoscope.db.engine import Database
from mutoscope.generations import outputs
from mutoscope.generations.models import Attempt, Generation, OutputFile
from mutoscope.generations.states import Phase, Status
from mutoscope.ledger.models import CreditHold
from mutoscope.storage.base import ObjectMissing, ObjectStore

PAGE = 500
MAX_FINDINGS = 1000
# With the back-off about half an hour of trying.
MANY_STUMBLES = 30
_rows, _holds, _files, _attempts = table(Generation), table(CreditHold), table(OutputFile), table(Attempt)

Check = Callable[[AsyncSession], Awaitable[list[Finding]]]


async def findings(database: Database, store: ObjectStore, *, hash_files: bool = True) -> list[Finding]:
    """Everything that is wrong, at most 1,000 findings a check.

    Args:
        database: Where the rows are.
        store: Where the files are.
        hash_files: Also read every file and compare its SHA-256; otherwise only presence and size are checked.
    """
    found: list[Finding] = []
    async with database.read() as session:
        for check in CHECKS:
            found += await check(session)
    async for row in _all_outputs(database):
        if problem := _output_problem(row):
            found.append(Finding("outputs", row.id, problem))
    async for file in _all_files(database):
        if problem := await _file_problem(store, file, hash_files=hash_files):
            found.append(Finding("stored_files", file.generation_id, problem))
    return found


async def _unsettled_holds(session: AsyncSession) -> list[Finding]:
    """A generation that has ended has a settled hold, and one that has not has a pending one."""
    query = (
        select(_rows.c.id, _rows.c.status, _holds.c.id.label("hold"), _holds.c.state)
        .join(_holds, _holds.c.id == _rows.c.hold_id)
        .where((_rows.c.phase == Phase.DONE) == (_holds.c.state == "pending"))
    )
    return await _list(session, query, "holds", "is {status} but its hold {hold} is {state}")


async def _ownerless_holds(session: AsyncSession) -> list[Finding]:
    """Every hold belongs to a generation."""
    query = (
        select(_holds.c.id, _holds.c.amount, _holds.c.credit_type)
        .outerjoin(_rows, _rows.c.hold_id == _holds.c.id)
        .where(_rows.c.id.is_(None))
    )
    return await _list(session, query, "holds", "holds {amount} {credit_type} credits for no generation")


async def _charges(session: AsyncSession) -> list[Finding]:
    """What the row says was charged is what the ledger posted; what did not complete costs only what its terms say."""
    query = (
        select(_rows.c.id, _rows.c.status, _rows.c.charged_credits, _holds.c.posted)
        .join(_holds, _holds.c.id == _rows.c.hold_id)
        .where(
            _rows.c.phase == Phase.DONE,
            or_(
                _rows.c.charged_credits.is_distinct_from(_holds.c.posted),
                and_(_rows.c.status == Status.FAILED, _holds.c.posted > 0),
            ),
        )
    )
    return await _list(
        session, query, "charges", "is {status}, says {charged_credits} credits, the ledger posted {posted}"
    )


async def _stuck(session: AsyncSession) -> list[Finding]:
    """Every generation that has not ended will be looked at again, and does not fail again and again."""
    query = select(_rows.c.id, _rows.c.phase).where(_rows.c.phase != Phase.DONE, _rows.c.due_at.is_(None))
    stuck = await _list(session, query, "liveness", "is in phase {phase} and nothing will ever move it")
    query = select(_rows.c.id, _rows.c.phase, _rows.c.stumbles).where(_rows.c.stumbles >= MANY_STUMBLES)
    return stuck + await _list(
        session, query, "liveness", "is in phase {phase} and has failed to move {stumbles} times"
    )


async def _predictions(session: AsyncSession) -> list[Finding]:
    """A generation's prediction is one of its attempts, and no more were bought than its attempts explain."""
    query = (
        select(_rows.c.id, _rows.c.prediction_id)
        .outerjoin(
            _attempts, and_(_attempts.c.generation_id == _rows.c.id, _attempts.c.prediction_id == _rows.c.prediction_id)
        )
        .where(_rows.c.prediction_id.is_not(None), _attempts.c.ref.is_(None))
    )
    return await _list(session, query, "predictions", "waits for prediction {prediction_id}, which no attempt made")


async def _missing_outputs(session: AsyncSession) -> list[Finding]:
    """A file is kept only for what completed; an output that names files has them."""
    count = select(func.count()).where(_files.c.generation_id == _rows.c.id).scalar_subquery()
    query = select(_rows.c.id, _rows.c.status, count.label("files")).where(
        or_(
            and_(_rows.c.status == Status.COMPLETED, _rows.c.output.is_(None)),
            and_(_rows.c.status.in_((Status.FAILED, Status.CANCELED)), count > 0),
        )
    )
    return await _list(session, query, "outputs", "is {status} and has {files} files, which do not go together")


CHECKS: Sequence[Check] = (_unsettled_holds, _ownerless_holds, _charges, _stuck, _predictions, _missing_outputs)


async def _list(session: AsyncSession, query: Select[*tuple[Any, ...]], check: str, sentence: str) -> list[Finding]:
    rows = await session.execute(query.limit(MAX_FINDINGS))
    return [Finding(check, row["id"], sentence.format(**row)) for row in rows.mappings()]


async def _all_files(database: Database) -> AsyncIterator[OutputFile]:
    last = ""
    while True:
        query = select(OutputFile).where(OutputFile.key > last).order_by(OutputFile.key).limit(PAGE)
        async with database.read() as session:
            page = (await session.scalars(query)).all()
        for file in page:
            yield file
        if len(page) < PAGE:
            return
        last = page[-1].key


async def _all_outputs(database: Database) -> AsyncIterator["_Output"]:
    """Every completed generation with its output and the numbers of its files."""
    last = ""
    while True:
        completed = select(_rows.c.id, _rows.c.output).where(_rows.c.status == Status.COMPLETED, _rows.c.id > last)
        page = completed.order_by(_rows.c.id).limit(PAGE).subquery("page")
        query = select(page, _files.c.number).outerjoin(_files, _files.c.generation_id == page.c.id).order_by(page.c.id)
        async with database.read() as session:
            rows = (await session.execute(query)).all()
        for generation_id, group in groupby(rows, key=lambda row: row.id):
            members = list(group)
            yield _Output(generation_id, members[0].output, {m.number for m in members if m.number is not None})
            last = generation_id
        if not rows:
            return


class _Output(NamedTuple):
    id: str
    output: Any
    files: set[int]


def _output_problem(row: _Output) -> str | None:
    named: set[int] = set()
    outputs.show_files(row.output, named.add)
    if named == row.files:
        return None
    return f"its output names files {sorted(named)}, but files {sorted(row.files)} are written down"


async def _file_problem(store: ObjectStore, file: OutputFile, *, hash_files: bool) -> str | None:
    try:
        there = await store.head(file.key)
    except ObjectMissing:
        return f"file {file.key} is not in the store"
    if there.size_bytes != file.size_bytes:
        return f"file {file.key} has {there.size_bytes} bytes instead of {file.size_bytes}"
    if not hash_files:
        return None
    digest = hashlib.sha256()
    async for chunk in store.read(file.key):
        digest.update(chunk)
    return None if digest.hexdigest() == file.sha256 else f"file {file.key} has other bytes than were stored"
