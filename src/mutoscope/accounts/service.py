"""Accounts, their API keys, and the check of a key. Each call is a transaction of its own."""

import logging
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, bindparam, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.accounts.keys import is_same, key_id_of, make_key
from mutoscope.accounts.models import Account, ApiKey
from mutoscope.accounts.principal import Principal, Scope
from mutoscope.core.clock import Clock
from mutoscope.core.errors import Forbidden, InvalidRequest, NotFound, Unauthenticated, Unavailable
from mutoscope.core.ids import new_id
from mutoscope.core.json_limits import find_fault
from mutoscope.db import Database
from mutoscope.db.base import table
from mutoscope.db.upsert import upsert

MAX_PAGE = 500
ID_PREFIX = "acct"
MAX_METADATA_BYTES = 16 * 1024
LAST_USED_EVERY = timedelta(minutes=1)

_keys = table(ApiKey)
# Built once: every request sends it.
_KEY = select(
    *(_keys.c[name] for name in ("id", "account_id", "secret_sha256", "expires_at", "revoked_at", "last_used_at"))
).where(_keys.c.id == bindparam("which"))
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,255}")
_log = logging.getLogger(__name__)


class Accounts:
    """The accounts of the app's users and the keys that open them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(
        self,
        external_id: str,
        name: str | None = None,
        priority: int = 0,
        max_in_flight: int | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Account:
        """The account of ``external_id``: made if it is new, else as it is.

        Raises:
            InvalidRequest: A name that cannot be kept, or an external id that would not lead back to the account.
        """
        _check_external_id(external_id)
        if name is not None:
            _check_text("name", name)
        if fault := find_fault(dict(metadata or {}), max_bytes=MAX_METADATA_BYTES):
            raise InvalidRequest(f"metadata{fault.path} {fault.message}")
        accounts = table(Account)
        row = {"id": new_id(ID_PREFIX), "external_id": external_id, "name": name, "priority": priority}
        row |= {"max_in_flight": max_in_flight, "metadata": dict(metadata or {}), "created_at": self._clock.now()}
        async with self._database.write() as session:
            statement = upsert(session, accounts).values(row)
            await session.execute(statement.on_conflict_do_nothing(index_elements=[accounts.c.external_id]))
            return (await session.scalars(select(Account).where(Account.external_id == external_id))).one()

    async def get(self, id_or_external: str) -> Account:
        """The account of this id or external id.

        Raises:
            NotFound: There is none.
        """
        async with self._database.read() as session:
            return await _find(session, id_or_external)

    async def list(self, after: str | None = None, limit: int = 100) -> Sequence[Account]:
        """Accounts in the order they were made, those after the id ``after``; never more than ``MAX_PAGE``."""
        query = select(Account).where(Account.id > (after or "")).order_by(Account.id).limit(min(limit, MAX_PAGE))
        async with self._database.read() as session:
            return (await session.scalars(query)).all()

    async def create_key(
        self, scope: Scope, account_id: str | None = None, name: str | None = None, expires_at: datetime | None = None
    ) -> tuple[ApiKey, str]:
        """A new key and its secret text, which cannot be shown again.

        Raises:
            InvalidRequest: A key for an account needs one, an operator's has none, and it must not be expired already.
            NotFound: There is no such account.
        """
        if (scope == "account") != (account_id is not None):
            raise InvalidRequest("A key of scope 'account' needs an account, and one of scope 'operator' has none")
        if expires_at is not None and expires_at <= self._clock.now():
            raise InvalidRequest("A key cannot expire before it is made")
        if name is not None:
            _check_text("name", name)
        async with self._database.write() as session:
            if account_id is not None:
                account_id = (await _find(session, account_id)).id
            return await self._add_key(session, scope, account_id, name, expires_at)

    async def list_keys(
        self, account_id: str | None = None, after: str | None = None, limit: int = 100
    ) -> Sequence[ApiKey]:
        """Keys in the order they were made, of one account or of all; never more than ``MAX_PAGE``."""
        query = select(ApiKey).where(ApiKey.id > (after or "")).order_by(ApiKey.id).limit(min(limit, MAX_PAGE))
        if account_id is not None:
            query = query.where(ApiKey.account_id == account_id)
        async with self._database.read() as session:
            return (await session.scalars(query)).all()

    async def revoke_key(self, key_id: str) -> ApiKey:
        """End a key now and for ever. Again: nothing changes.

        Raises:
            NotFound: There is no such key.
        """
        if not _PRINTABLE.fullmatch(key_id):
            raise NotFound("No key has an id like that")
        async with self._database.write() as session:
            live = update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
            await session.execute(live.values(revoked_at=self._clock.now()))
            key = await session.get(ApiKey, key_id)
        if key is None:
            raise NotFound(f"There is no key {key_id}")
        return key

    async def authenticate(self, token: str, *, act_for: str | None = None) -> Principal:
        """Check a key and say who it is.

        Args:
            token: The key, as it was shown once.
            act_for: The id or external id of the account that an operator acts for.

        Raises:
            Unauthenticated: Not a key, or one that is unknown, expired or revoked.
            Forbidden: An account's key that would act for another account.
            NotFound: An operator would act for an account that is not there.
        """
        key_id = key_id_of(token)
        if key_id is None:
            raise Unauthenticated("This is not an API key; check that it was copied whole")
        now = self._clock.now()
        async with self._database.read() as session:
            key = (await session.execute(_KEY, {"which": key_id})).mappings().one_or_none()
            if key is None or not is_same(token, key["secret_sha256"]):
                raise Unauthenticated("This API key is not known here")
            _check_live(key, now)
            principal = await _principal(session, key, act_for)
        await self._note_use(key, now)
        return principal

    async def ensure_operator_key(self, name: str = "first operator") -> str | None:
        """Make the first operator key and return its secret text; ``None`` when a live one exists already."""
        now = self._clock.now()
        live = select(ApiKey.id).where(
            ApiKey.scope == "operator",
            ApiKey.revoked_at.is_(None),
            or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now),
        )
        async with self._database.write() as session:
            if not self._database.is_sqlite:  # there every writer is alone anyway
                await session.execute(text("LOCK TABLE api_keys IN SHARE ROW EXCLUSIVE MODE"))
            if await session.scalar(live.limit(1)):
                return None
            _, token = await self._add_key(session, "operator", None, name, None)
            return token

    async def _add_key(
        self,
        session: AsyncSession,
        scope: Scope,
        account_id: str | None,
        name: str | None,
        expires_at: datetime | None,
    ) -> tuple[ApiKey, str]:
        made = make_key(scope)
        key = ApiKey(id=made.key_id, scope=scope, account_id=account_id, name=name, hint=made.hint)
        key.secret_sha256, key.created_at, key.expires_at = made.token_sha256, self._clock.now(), expires_at
        session.add(key)
        await session.flush()
        return key, made.token

    async def _note_use(self, key: RowMapping, now: datetime) -> None:
        if key["last_used_at"] is not None and now - key["last_used_at"] < LAST_USED_EVERY:
            return
        stale = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= now - LAST_USED_EVERY)
        try:
            async with self._database.write() as session:
                await session.execute(update(ApiKey).where(ApiKey.id == key["id"], stale).values(last_used_at=now))
        except Unavailable:
            _log.warning("could not note the use of a key", extra={"key": key["id"]})


async def _find(session: AsyncSession, id_or_external: str) -> Account:
    if not _PRINTABLE.fullmatch(id_or_external):
        raise NotFound("No account has a name like that")
    named = or_(Account.id == id_or_external, Account.external_id == id_or_external)
    found = (await session.scalars(select(Account).where(named))).all()
    if not found:
        raise NotFound(f"There is no account {id_or_external}")
    # Somebody's external id may look like another's id; our own ids win.
    return next((account for account in found if account.id == id_or_external), found[0])


async def _principal(session: AsyncSession, key: RowMapping, act_for: str | None) -> Principal:
    if key["account_id"] is None:
        account_id = (await _find(session, act_for)).id if act_for is not None else None
        return Principal(key["id"], "operator", account_id)
    if act_for not in (None, key["account_id"]):
        own = await session.get_one(Account, key["account_id"])
        if own.external_id != act_for:
            raise Forbidden("This key belongs to one account and cannot act for another")
    return Principal(key["id"], "account", key["account_id"])


def _check_live(key: RowMapping, now: datetime) -> None:
    if key["revoked_at"] is not None:
        raise Unauthenticated("This API key was revoked")
    if key["expires_at"] is not None and key["expires_at"] <= now:
        raise Unauthenticated("This API key has expired")


def _check_text(what: str, value: str) -> None:
    if not _PRINTABLE.fullmatch(value):
        raise InvalidRequest(f"{what} must be 1 to 255 printable characters")


def _check_external_id(value: str) -> None:
    _check_text("external_id", value)
    if value.startswith(f"{ID_PREFIX}_"):
        raise InvalidRequest(f"external_id must not begin with {ID_PREFIX}_: our own ids of accounts do")
    if value != value.strip():
        raise InvalidRequest("external_id must not begin or end with white space: headers and forms lose it")
    if "/" in value or value in (".", ".."):
        raise InvalidRequest("external_id must not contain / or be . or ..: it is a part of URLs")
