"""What callers say: their deadline within the model's limits, and the fingerprint of a request."""

from datetime import UTC, datetime, timedelta

import pytest

from mutoscope.core.canonical import sha256_of
from mutoscope.core.model_settings import ModelSettings
from mutoscope.generations.asking import NewGeneration, Webhook

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = ModelSettings.model_validate(
    {"reference": "a/b", "price": {"per_run": 1}, "queue_timeout_s": 100, "run_timeout_s": 50}
)


@pytest.mark.parametrize(
    ("cancel_after_s", "queued_s", "deadline_s"), [(None, 100, None), (5, 5, 5), (120, 100, 120), (9999, 100, 150)]
)
def test_the_callers_deadline_shortens_and_never_prolongs(
    cancel_after_s: int | None, queued_s: int, deadline_s: int | None
) -> None:
    queued_until, deadline = NewGeneration("a", {}, cancel_after_s=cancel_after_s).deadlines(SETTINGS, NOW)
    assert queued_until == NOW + timedelta(seconds=queued_s)
    assert deadline == (None if deadline_s is None else NOW + timedelta(seconds=deadline_s))


def test_the_fingerprint_of_a_plain_request_is_what_it_always_was() -> None:
    """Else a key that was used before an update would conflict after it."""
    asked = {"model": "a", "input": {"x": 1}, "metadata": {}}
    assert NewGeneration("a", {"x": 1}, idempotency_key="k").sha256() == sha256_of(asked)


def test_what_is_asked_beyond_it_is_part_of_the_fingerprint() -> None:
    hooked = Webhook("https://a.example/", ("completed", "start"))
    several = [
        NewGeneration("a", {}),
        NewGeneration("a", {}, cancel_after_s=5),
        NewGeneration("a", {}, webhook=hooked),
        NewGeneration("a", {}, webhook=Webhook(hooked.url, ("completed",))),
    ]
    assert len({one.sha256() for one in several}) == len(several)
    reordered = Webhook(hooked.url, ("start", "completed", "start"))
    assert NewGeneration("a", {}, webhook=reordered).sha256() == several[2].sha256()
