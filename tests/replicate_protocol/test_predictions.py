import json
from datetime import UTC, datetime

import pytest

from mutoscope.replicate_protocol.predictions import Prediction, PredictionPage

BARE = {"id": "p1", "status": "starting", "created_at": "2026-01-02T03:04:05.678Z"}


def test_reads_the_least_a_server_may_send() -> None:
    prediction = Prediction.model_validate(BARE)
    assert prediction.created_at == datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
    assert (prediction.input, prediction.output, prediction.urls, prediction.data_removed) == ({}, None, {}, False)
    assert not prediction.terminal
    assert prediction.predict_time_s is None


def test_a_naive_time_is_utc() -> None:
    assert Prediction.model_validate({**BARE, "created_at": "2026-01-02T03:04:05"}).created_at.tzinfo is UTC


@pytest.mark.parametrize("status", ["succeeded", "failed", "canceled", "aborted"])
def test_terminal_statuses(status: str) -> None:
    assert Prediction.model_validate({**BARE, "status": status}).terminal


@pytest.mark.parametrize("status", ["starting", "processing", "queued", "a-status-of-tomorrow"])
def test_any_other_status_is_read_and_not_terminal(status: str) -> None:
    assert not Prediction.model_validate({**BARE, "status": status}).terminal


def test_tolerates_nulls_odd_errors_and_unknown_fields() -> None:
    odd = {
        **BARE,
        "error": {"code": 7},
        "logs": ["a"],
        "input": None,
        "metrics": None,
        "urls": {"get": "http://x/", "stream": None},
        "new_field": [1],
    }
    prediction = Prediction.model_validate(odd)
    assert json.loads(prediction.error or "") == {"code": 7}
    assert prediction.logs == '["a"]'
    assert (prediction.input, prediction.metrics, prediction.urls) == ({}, {}, {"get": "http://x/"})
    assert prediction.model_dump()["new_field"] == [1]


def test_predict_time_is_a_number_or_nothing() -> None:
    assert Prediction.model_validate({**BARE, "metrics": {"predict_time": 2}}).predict_time_s == 2.0
    assert Prediction.model_validate({**BARE, "metrics": {"predict_time": "long"}}).predict_time_s is None
    assert Prediction.model_validate({**BARE, "metrics": {"predict_time": True}}).predict_time_s is None


def test_page() -> None:
    page = PredictionPage.model_validate({"results": [BARE], "next": "http://x/?cursor=1", "previous": None})
    assert [one.id for one in page.results] == ["p1"]
    assert page.next == "http://x/?cursor=1"
