"""The two transactions that move money in the floors: taking an order, and settling it."""

import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

from bench.floors import sql
from bench.floors.database import Step, Transactions


@dataclass(frozen=True, slots=True)
class Order:
    """One generation, as the floors know it."""

    id: str
    hold_id: str
    account_id: str


async def take(database: Transactions, account_id: str, body: Any) -> Order:
    """Take the credits and record the work. Raises ``Refused`` when the balance does not cover it."""
    order = Order(secrets.token_hex(16), secrets.token_hex(16), account_id)
    await database.run(
        Step(sql.GUARDED, (account_id, sql.PRICE), must=True),
        Step(sql.HOLD, (order.hold_id, account_id, sql.PRICE)),
        Step(sql.GENERATION, (order.id, account_id, order.hold_id, json.dumps(body), time.time())),
        _event(order, "generation.queued"),
    )
    return order


async def settle(database: Transactions, order: Order, path: str, size_bytes: int, sha256: str) -> None:
    """The file, the money and the status. Raises ``Refused`` when it was settled before."""
    await database.run(
        Step(sql.SETTLE_HOLD, (order.hold_id,), must=True),
        Step(sql.SETTLE_BALANCE, (order.account_id, sql.PRICE)),
        Step(sql.FILE, (order.id, path, size_bytes, sha256)),
        Step(sql.COMPLETE, (order.id, path, time.time())),
        _event(order, "generation.completed"),
    )


def _event(order: Order, kind: str) -> Step:
    return Step(sql.EVENT, (secrets.token_hex(16), order.account_id, order.id, kind))
