"""The step ``settle``: the money and the final status, in one transaction. And ``done``, which only tidies up."""

from datetime import timedelta

from mutoscope.catalog.pricing import final_credits
from mutoscope.events import service as events
from mutoscope.generations import outputs, telling
from mutoscope.generations.machine import Machine
from mutoscope.generations.models import Generation
from mutoscope.generations.orphans import put_down_all
from mutoscope.generations.states import Phase
from mutoscope.generations.transitions import move
from mutoscope.ledger import service as ledger


async def settle(machine: Machine, row: Generation) -> Generation:
    """Post what was delivered, or void with the reason; then the generation is done."""
    now = machine.clock.now()
    grace_s = machine.policy.expiry_grace_s
    charge = _charge(row)
    due = now if row.orphans else None
    async with machine.commit("settle") as session:
        if charge:
            hold = await ledger.post(session, row.hold_id, amount=charge, reason=_reason(row), now=now, grace_s=grace_s)
        else:
            hold = await ledger.void(session, row.hold_id, reason=_reason(row), now=now, grace_s=grace_s)
        # The first settlement of a hold stands, whoever made it; the row says what was really charged.
        moved = await move(session, row, Phase.DONE, now=now, due=due, charged_credits=hold.posted, completed_at=now)
        await telling.ended(session, moved, now=now, max_attempts=machine.policy.webhook_attempts)
        data = {"status": moved.status, "charged_credits": hold.posted, "failure_code": row.failure_code}
        await events.record(session, row.account_id, f"generation.{moved.status}", row.id, data=data, now=now)
    machine.bell.changed(row.id)
    machine.bell.ring()
    return moved


async def tidy(machine: Machine, row: Generation) -> Generation:
    """A row that has ended came due again: a late orphan is to be cancelled."""
    now = machine.clock.now()
    due = None if await put_down_all(machine, row) else now + timedelta(seconds=5)
    async with machine.commit("tidy") as session:
        return await move(session, row, Phase.DONE, now=now, due=due)


def _charge(row: Generation) -> int:
    match row.outcome:
        case "completed":
            made = outputs.count_outputs(row.output)
            return final_credits(row.terms, outputs=made, predict_time_s=row.predict_time_s)
        case "canceled" if row.prediction_id:
            return _charge_canceled(row)
        case _:
            return 0


def _charge_canceled(row: Generation) -> int:
    match row.terms["settings"]["charge_canceled"]:
        case "everything":
            return row.held_credits
        case "used_seconds":
            return final_credits(row.terms, outputs=0, predict_time_s=row.predict_time_s, only_seconds=True)
        case _:
            return 0


def _reason(row: Generation) -> str:
    return row.failure_code or "delivered"
