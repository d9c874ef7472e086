"""The ledger with each call in a transaction of its own, as tests want it; says nothing that the ledger does not."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, text

from mutoscope.accounts.models import Account
from mutoscope.core.findings import Finding
from mutoscope.db import Database
from mutoscope.db.base import table
from mutoscope.ledger import audit
from mutoscope.ledger import service as ledger
from mutoscope.ledger.models import CreditLot
from mutoscope.ledger.records import Balance, Hold

IMAGES = "image_generation"


class Bank:
    """One database and one time."""

    def __init__(self, database: Database, *, now: datetime) -> None:
        self.database = database
        self.now = now
        self.granted = 0

    async def open_account(self, account_id: str) -> None:
        row = {"id": account_id, "external_id": account_id, "priority": 0, "metadata": {}, "created_at": self.now}
        async with self.database.write() as session:
            await session.execute(insert(table(Account)).values(row))

    async def grant(
        self, amount: int, *, account_id: str = "acct_a", days: float | None = None, **more: Any
    ) -> CreditLot:
        """A promo of its own id, which expires in ``days``."""
        self.granted += 1
        expires_at = None if days is None else self.now + timedelta(days=days)
        row: dict[str, Any] = {"credit_type": IMAGES, "source": "promo", "external_id": f"promo-{self.granted}"} | more
        row = {"expires_at": expires_at, **row}
        async with self.database.write() as session:
            return await ledger.grant(session, account_id=account_id, amount=amount, now=self.now, **row)

    async def reserve(self, amount: int, key: str, *, account_id: str = "acct_a", credit_type: str = IMAGES) -> Hold:
        async with self.database.write() as session:
            return await ledger.reserve(
                session, account_id=account_id, credit_type=credit_type, amount=amount, key=key, now=self.now
            )

    async def post(self, hold_id: str, amount: int, *, reason: str = "completed", grace_s: float = 60) -> Hold:
        async with self.database.write() as session:
            return await ledger.post(session, hold_id, amount=amount, reason=reason, now=self.now, grace_s=grace_s)

    async def void(self, hold_id: str, *, reason: str = "failed", grace_s: float = 60) -> Hold:
        async with self.database.write() as session:
            return await ledger.void(session, hold_id, reason=reason, now=self.now, grace_s=grace_s)

    async def refund(self, hold_id: str, amount: int, key: str, *, grace_s: float = 60) -> Hold:
        async with self.database.write() as session:
            return await ledger.refund(
                session, hold_id, amount=amount, key=key, reason="late_failure", now=self.now, grace_s=grace_s
            )

    async def expire(self, *, limit: int = 500) -> int:
        async with self.database.write() as session:
            return await ledger.expire_due(session, now=self.now, limit=limit)

    async def balance(self, account_id: str = "acct_a", credit_type: str = IMAGES) -> Balance:
        async with self.database.read() as session:
            found = await ledger.balances(session, account_id, now=self.now)
        return next(one for one in found if one.credit_type == credit_type)

    async def figures(self, account_id: str = "acct_a") -> tuple[int, int, int, int]:
        """Available, held, spent, expired."""
        balance = await self.balance(account_id)
        return balance.available, balance.held, balance.spent, balance.expired

    async def lots(self, account_id: str = "acct_a") -> dict[str, tuple[int, int, int, int]]:
        """Remaining, held, spent, expired of each lot by its external id."""
        async with self.database.read() as session:
            found = await ledger.lots(session, account_id)
        return {lot.external_id: (lot.remaining, lot.held, lot.spent, lot.expired) for lot in found}

    async def findings(self) -> list[Finding]:
        async with self.database.read() as session:
            return await audit.findings(session)

    async def by_hand(self, statement: str, **values: Any) -> None:
        """What somebody with a database client might do."""
        async with self.database.write() as session:
            await session.execute(text(statement), values)
