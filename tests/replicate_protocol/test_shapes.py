"""The shapes of everything but predictions: read tolerantly, shown exactly."""

import base64
from typing import Any

import pytest

from mutoscope.core.errors import InvalidRequest
from mutoscope.replicate_protocol.collections import Collection
from mutoscope.replicate_protocol.deployments import CreateDeployment, Deployment
from mutoscope.replicate_protocol.errors import ErrorBody
from mutoscope.replicate_protocol.files import File
from mutoscope.replicate_protocol.models import CreateModel, Model, UpdateModel
from mutoscope.replicate_protocol.predictions import Prediction
from mutoscope.replicate_protocol.search import SearchResults
from mutoscope.replicate_protocol.statuses import is_terminal
from mutoscope.replicate_protocol.trainings import Training
from mutoscope.replicate_protocol.webhooks import WebhookSecret
from mutoscope.replicate_protocol.wire import Page, next_link, position

AT = "2026-01-02T03:04:05.678Z"
VERSION = {"id": "a" * 64, "created_at": AT, "cog_version": None, "openapi_schema": {"openapi": "3.0.2"}}
MODEL: dict[str, Any] = {"owner": "o", "name": "n", "latest_version": VERSION, "tomorrow": [1]}
RUN = {"id": "t", "status": "starting", "created_at": AT}


def test_a_model_is_shown_with_its_nulls_and_with_what_is_not_known_here() -> None:
    shown = Model.model_validate(MODEL).shown()
    assert shown["latest_version"] == VERSION
    assert shown["tomorrow"] == [1]
    assert shown["license_url"] is None
    assert (shown["visibility"], shown["is_official"], shown["run_count"]) == ("public", False, 0)


def test_a_page_is_shown_with_the_shapes_in_it() -> None:
    shown = Page[Model].model_validate({"results": [MODEL], "next": "http://x/?cursor=1"}).shown()
    assert (shown["next"], shown["previous"]) == ("http://x/?cursor=1", None)
    assert shown["results"][0]["latest_version"]["created_at"] == AT


def test_times_that_have_not_come_are_left_out_and_output_is_null() -> None:
    shown = Prediction.model_validate(RUN).shown()
    assert not {"started_at", "completed_at", "deadline"} & shown.keys()
    assert (shown["output"], shown["error"], shown["created_at"]) == (None, None, AT)


def test_a_training_and_what_it_made() -> None:
    assert "output" not in Training.model_validate(RUN).shown()
    assert Training.model_validate(RUN).result is None
    ended = Training.model_validate({**RUN, "status": "succeeded", "output": {"version": "o/n:1", "weights": None}})
    assert ended.terminal
    assert ended.result is not None
    assert ended.result.version == "o/n:1"


def test_a_deployment_and_its_limits() -> None:
    release = {
        "number": 1,
        "model": "o/n",
        "version": "v",
        "created_at": AT,
        "created_by": {"type": "user", "username": "u"},
        "configuration": {"hardware": "cpu", "min_instances": 0, "max_instances": 1},
    }
    document = {"owner": "o", "name": "d", "current_release": release}
    assert Deployment.model_validate(document).shown() == document
    body = {"name": "d", "model": "o/n", "version": "v", "hardware": "cpu", "min_instances": 6, "max_instances": 21}
    with pytest.raises(ValueError, match="2 validation errors"):
        CreateDeployment.model_validate(body)


def test_the_rest() -> None:
    file = {"id": "f", "content_type": "a/b", "size": 3, "created_at": AT, "urls": {"get": "http://x", "no": None}}
    assert File.model_validate(file).urls == {"get": "http://x"}
    found = {"query": "q", "models": [{"model": MODEL, "metadata": {}}], "collections": [], "pages": []}
    assert SearchResults.model_validate(found).shown()["models"][0]["metadata"]["score"] is None
    collection = {"name": "N", "slug": "n", "description": "d", "models": [MODEL]}
    assert Collection.model_validate(collection).shown()["models"][0]["name"] == "n"
    assert WebhookSecret.model_validate({"key": "whsec_x"}).shown() == {"key": "whsec_x"}
    assert UpdateModel.model_validate({"readme": "r", "visibility": "private"}).model_fields_set == {"readme"}
    with pytest.raises(ValueError, match="visibility"):
        CreateModel.model_validate({"owner": "o", "name": "n", "visibility": "secret", "hardware": "cpu"})


@pytest.mark.parametrize("status", ["starting", "queued", "a-status-of-tomorrow"])
def test_a_status_that_is_not_known_is_not_terminal(status: str) -> None:
    assert not is_terminal(status)


@pytest.mark.parametrize(
    ("body", "detail", "retry_after"),
    [
        ({"detail": "no", "status": 429, "retry_after": 5}, "no", 5),
        ({"detail": [{"loc": ["body"]}]}, '[{"loc": ["body"]}]', None),
        ({"detail": "no", "status": "often"}, "no", None),
        ({"title": 7}, '{"title": 7}', None),
        ("gateway", "gateway", None),
        (["a"], '["a"]', None),
        (None, None, None),
    ],
)
def test_any_error_can_be_read(body: Any, detail: str | None, retry_after: float | None) -> None:
    error = ErrorBody.read(body)
    assert (error.detail, error.retry_after) == (detail, retry_after)


def test_cursors_are_read_back() -> None:
    link = next_link("http://x/v1/models", {"sort_by": "a b"}, 17) or ""
    assert link.startswith("http://x/v1/models?sort_by=a+b&cursor=")
    assert position(link.rpartition("cursor=")[2].replace("%3D", "=")) == 17
    assert next_link("http://x", {}, None) is None
    assert position(None) is None


@pytest.mark.parametrize("text", ["9" * 20, "-1", "1_0", " 1", "", "1.5", "²"])
def test_a_forged_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        position(base64.urlsafe_b64encode(text.encode()).decode())


@pytest.mark.parametrize("cursor", ["nonsense!", "zzz", "MTc", "MT\u0000c=", "ü", "MTc=MTc="])
def test_a_cursor_that_cannot_be_decoded_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        position(cursor)
