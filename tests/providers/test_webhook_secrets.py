"""A secret that was changed is learnt when the first webhook needs it; a forger costs us one call a minute."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from mutoscope.providers.base import ProviderDown
from mutoscope.providers.webhook_secrets import ASK_AGAIN, OVERLAP, WebhookSecrets

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def telling(*answers: str | Exception) -> tuple[Callable[[], Awaitable[str]], list[str]]:
    """What the provider says when it is asked, and how often it was."""
    asked: list[str] = []

    async def fetch() -> str:
        await asyncio.sleep(0)
        said = answers[min(len(asked), len(answers) - 1)]
        asked.append(str(said))
        if isinstance(said, Exception):
            raise said
        return said

    return fetch, asked


async def test_the_old_one_is_good_for_a_while_after_a_change() -> None:
    fetch, _ = telling("new")
    secrets = WebhookSecrets(["old"], fetch)
    assert await secrets.renew(NOW)
    assert secrets.current(NOW) == ["new", "old"]
    assert secrets.current(NOW + OVERLAP) == ["new"]


async def test_it_is_asked_for_once_a_minute_at_most() -> None:
    fetch, asked = telling("same", "same", "other")
    secrets = WebhookSecrets(["same"], fetch)
    for _ in range(50):
        assert not await secrets.renew(NOW)
    assert len(asked) == 1
    assert not await secrets.renew(NOW + ASK_AGAIN)
    assert await secrets.renew(NOW + 2 * ASK_AGAIN)
    assert len(asked) == 3


async def test_all_who_wait_hear_of_the_change_by_one_call() -> None:
    fetch, asked = telling("new")
    secrets = WebhookSecrets(["old"], fetch)
    assert all(await asyncio.gather(*(secrets.renew(NOW) for _ in range(20))))
    assert len(asked) == 1


async def test_a_provider_that_does_not_answer_changes_nothing() -> None:
    fetch, _ = telling(ProviderDown("no"), "new")
    secrets = WebhookSecrets(["old"], fetch)
    assert not await secrets.renew(NOW)
    assert secrets.current(NOW) == ["old"]
    assert await secrets.renew(NOW + ASK_AGAIN)


async def test_going_back_to_an_older_one_is_a_change_too() -> None:
    fetch, _ = telling("b", "a")
    secrets = WebhookSecrets(["a"], fetch)
    assert await secrets.renew(NOW)
    assert await secrets.renew(NOW + ASK_AGAIN)
    assert secrets.current(NOW + ASK_AGAIN) == ["a", "b"]
    assert secrets.current(NOW + timedelta(days=3)) == ["a"]
