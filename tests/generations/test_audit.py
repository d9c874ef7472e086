"""The audit finds what was damaged by hand, and names it."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import delete, select, text, update

from mutoscope.generations.models import Generation, OutputFile
from mutoscope.ledger.models import CreditBalance, CreditHold
from mutoscope.storage.local import LocalStore
from tests.world import World

Damage = Callable[[World, Generation], Awaitable[None]]


async def _file(here: World, row: Generation) -> OutputFile:
    return (await here.runtime.generations.files([row.id]))[row.id][0]


async def _unsettle(here: World, row: Generation) -> None:
    """A hold without settlement; the trigger that forbids it has to go first."""
    drop = "DROP TRIGGER credit_holds_settle_once" + ("" if here.runtime.database.is_sqlite else " ON credit_holds")
    async with here.runtime.database.write() as session:
        await session.execute(text(drop))
        hold = update(CreditHold).where(CreditHold.id == row.hold_id)
        await session.execute(hold.values(state="pending", settled_at=None, posted=0))


async def _change_balance(here: World, row: Generation) -> None:
    async with here.runtime.database.write() as session:
        mine = update(CreditBalance).where(CreditBalance.account_id == row.account_id)
        await session.execute(mine.values(available=CreditBalance.available + 5, issued=CreditBalance.issued - 5))


async def _remove_file(here: World, row: Generation) -> None:
    await here.runtime.store.delete((await _file(here, row)).key)


async def _change_file(here: World, row: Generation) -> None:
    store = here.runtime.store
    assert isinstance(store, LocalStore)
    path = store.path((await _file(here, row)).key)
    path.write_bytes(bytes(len(path.read_bytes())))


async def _shorten_file(here: World, row: Generation) -> None:
    store = here.runtime.store
    assert isinstance(store, LocalStore)
    path = store.path((await _file(here, row)).key)
    path.write_bytes(path.read_bytes()[:-1])


async def _forget_file(here: World, row: Generation) -> None:
    async with here.runtime.database.write() as session:
        await session.execute(delete(OutputFile).where(OutputFile.generation_id == row.id))


async def _forget_due(here: World, row: Generation) -> None:
    async with here.runtime.database.write() as session:
        values = {"phase": "await", "status": "processing", "due_at": None}
        await session.execute(update(Generation).where(Generation.id == row.id).values(**values))


async def _change_charge(here: World, row: Generation) -> None:
    async with here.runtime.database.write() as session:
        await session.execute(update(Generation).where(Generation.id == row.id).values(charged_credits=1))


@pytest.mark.parametrize(
    ("damage", "checks"),
    [
        (_unsettle, {"holds"}),
        (_change_balance, {"ledger."}),
        (_remove_file, {"stored_files"}),
        (_change_file, {"stored_files"}),
        (_shorten_file, {"stored_files"}),
        (_forget_file, {"outputs"}),
        (_forget_due, {"liveness", "holds"}),
        (_change_charge, {"charges"}),
    ],
)
async def test_damage_is_found(here: World, damage: Damage, checks: set[str]) -> None:
    row = await here.run("to be damaged")
    await here.run("to be left alone")
    assert await here.audit() == []
    await damage(here, row)
    found = await here.audit()
    for check in checks:
        assert [f for f in found if f.check.startswith(check)], f"{check} is not in {found}"
    assert all(finding.detail and finding.subject for finding in found)


async def test_the_database_itself_refuses_what_the_ledger_forbids(here: World) -> None:
    """Not even by hand: a settled hold is not settled again, and a balance does not go below zero."""
    row = await here.run("settled")
    database = here.runtime.database
    with pytest.raises(Exception, match="settled already"):
        async with database.write() as session:
            await session.execute(update(CreditHold).where(CreditHold.id == row.hold_id).values(reason="again"))
    with pytest.raises(Exception, match=r"not_negative|zero_sum"):
        async with database.write() as session:
            await session.execute(update(CreditBalance).values(available=-1))
    async with database.read() as session:
        assert await session.scalar(select(CreditHold.state).where(CreditHold.id == row.hold_id)) == "posted"
