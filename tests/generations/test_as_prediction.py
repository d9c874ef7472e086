"""Replicate's word for where a generation is."""

import pytest

from mutoscope.generations.as_prediction import status_of
from mutoscope.generations.models import Generation


@pytest.mark.parametrize(
    ("status", "code", "at_the_provider", "shown"),
    [
        ("queued", None, None, "starting"),
        ("processing", None, "starting", "processing"),
        ("processing", "provider_failed", "failed", "processing"),  # decided, and not settled yet
        ("completed", None, "succeeded", "succeeded"),
        ("canceled", "canceled_by_user", None, "canceled"),
        ("failed", "provider_failed", "failed", "failed"),
        ("failed", "storage_failed", "succeeded", "failed"),
        ("failed", "queue_deadline", None, "aborted"),
        ("failed", "run_deadline", "aborted", "aborted"),
        ("failed", "run_deadline", "canceled", "canceled"),
        ("failed", "provider_aborted", "aborted", "aborted"),
        ("failed", "provider_canceled", "canceled", "canceled"),
    ],
)
def test_statuses(status: str, code: str | None, at_the_provider: str | None, shown: str) -> None:
    row = Generation(status=status, failure_code=code, prediction_status=at_the_provider)
    assert status_of(row) == shown
