"""The accounts' signing secrets."""

import asyncio
from datetime import timedelta

from mutoscope.core.clock import ManualClock
from mutoscope.db import Database
from mutoscope.webhooks.secrets import OVERLAP, WebhookSecrets
from tests.webhooks.conftest import People


async def test_all_who_are_first_at_once_get_the_same_secret(
    database: Database, clock: ManualClock, people: People
) -> None:
    secrets = WebhookSecrets(database, clock)
    found = await asyncio.gather(*(secrets.current(people.ann) for _ in range(20)))
    assert len(set(found)) == 1
    assert found[0].startswith("whsec_")
    assert await WebhookSecrets(database, clock).current(people.ann) == found[0]


async def test_no_two_accounts_share_one(database: Database, clock: ManualClock, people: People) -> None:
    secrets = WebhookSecrets(database, clock)
    assert await secrets.current(people.ann) != await secrets.current(people.bob)


async def test_a_replaced_secret_signs_beside_the_new_one_for_a_day(
    database: Database, clock: ManualClock, people: People
) -> None:
    secrets = WebhookSecrets(database, clock)
    old, bobs = await secrets.current(people.ann), await secrets.current(people.bob)
    new = await secrets.rotate(people.ann)
    assert new != old
    assert await secrets.current(people.ann) == new
    assert await secrets.signing(people.ann) == [new, old]
    assert await secrets.signing(people.bob) == [bobs]
    clock.advance(OVERLAP + timedelta(seconds=1))
    assert await secrets.signing(people.ann) == [new]


async def test_rotations_at_once_leave_one_current_secret(
    database: Database, clock: ManualClock, people: People
) -> None:
    secrets = WebhookSecrets(database, clock)
    await asyncio.gather(*(secrets.rotate(people.ann) for _ in range(10)))
    current = await secrets.current(people.ann)
    clock.advance(OVERLAP + timedelta(seconds=1))
    assert await secrets.signing(people.ann) == [current]


async def test_a_rotation_of_none_makes_the_first(database: Database, clock: ManualClock, people: People) -> None:
    secrets = WebhookSecrets(database, clock)
    assert await secrets.rotate(people.ann) == await secrets.current(people.ann)
