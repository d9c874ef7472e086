import asyncio
import base64
import re
import struct
from datetime import datetime
from pathlib import Path

import pytest

from tests.runner.harness import Client, eventually, running


def size_of_png(data: bytes) -> tuple[int, int]:
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", data[16:24])


def disk_bytes(directory: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in directory.rglob("*.png"))


async def test_a_prediction_from_create_to_output(runner: Client) -> None:
    created = await runner.start({"text": "a b", "seconds": 0.2})
    assert (created["status"], created["output"], created["model"]) == ("starting", None, "mutoscope/echo")
    assert created["urls"]["get"] == f"{runner.url}/v1/predictions/{created['id']}"
    assert re.fullmatch("[a-z2-7]{26}", created["id"])
    done = await runner.reach(created["id"], {"succeeded"})
    assert (done["output"], done["error"], done["input"]) == ("a b", None, {"text": "a b", "seconds": 0.2})
    assert datetime.fromisoformat(done["created_at"]) <= datetime.fromisoformat(done["started_at"])
    assert done["metrics"]["total_time"] >= done["metrics"]["predict_time"] >= 0.2


async def test_logs_grow_while_it_runs_and_carry_a_progress_bar(runner: Client) -> None:
    created = await runner.start({"seconds": 30})
    shown = await eventually(lambda: runner.get(created["id"]), lambda shown: "%|" in shown["logs"])
    assert shown["status"] == "processing"
    assert re.search(r"\d+%\|.+\| +\d+/100 \[00:\d\d<\d\d:\d\d, .*it/s\]", shown["logs"])


@pytest.mark.parametrize(
    ("kind", "output"),
    [
        ("text", "two words"),
        ("json", {"text": "two words", "length": 9, "words": ["two", "words"], "empty": False}),
        ("number", 9),
        ("list", ["two", "words"]),
        ("nothing", None),
    ],
)
async def test_echo_gives_any_kind_of_output(runner: Client, kind: str, output: object) -> None:
    assert (await runner.run({"text": "two words", "output": kind}))["output"] == output


async def test_echo_gives_files_that_need_no_token(runner: Client) -> None:
    one = (await runner.run({"output": "file"}))["output"]
    several = (await runner.run({"output": "files"}))["output"]
    named = (await runner.run({"output": "dict"}))["output"]
    runner.http.headers.pop("authorization")
    for url in [one, *several, named["image"], named["mask"]]:
        answer = await runner.http.get(url)
        assert answer.headers["content-type"] == "image/png"
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert size_of_png(answer.content) == (8, 8)


async def test_echo_gives_a_data_uri(runner: Client) -> None:
    head, _, data = (await runner.run({"output": "data_uri"}))["output"].partition(",")
    assert head == "data:image/png;base64"
    assert size_of_png(base64.b64decode(data)) == (8, 8)


async def test_echo_gives_files_of_any_size_cheaply(runner: Client, tmp_path: Path) -> None:
    url = (await runner.run({"output": "file", "size_bytes": 3 * 2**30}))["output"]
    async with runner.http.stream("GET", url) as answer:
        assert int(answer.headers["content-length"]) == 3 * 2**30
    assert disk_bytes(tmp_path) < 2**20
    small = (await runner.run({"output": "file", "size_bytes": 20}))["output"]
    assert len((await runner.http.get(small)).content) == 20


async def test_a_failure_carries_its_error(runner: Client) -> None:
    failed = await runner.run({"fail": "CUDA out of memory (E1001)"})
    assert (failed["status"], failed["error"], failed["output"]) == ("failed", "CUDA out of memory (E1001)", None)


async def test_the_three_ways_to_name_what_to_run(runner: Client) -> None:
    version = (await runner.http.get("/v1/models/mutoscope/echo")).json()["latest_version"]["id"]
    official = await runner.run()
    by_version = await runner.run(model=version)
    by_both = await runner.run(model=f"mutoscope/echo:{version}")
    assert [one["version"] for one in (official, by_version, by_both)] == ["hidden", version, version]
    assert {one["model"] for one in (official, by_version, by_both)} == {"mutoscope/echo"}


async def test_models_and_deployments_have_creates_of_their_own(runner: Client) -> None:
    for kind in ("models", "deployments"):
        answer = await runner.http.post(f"/v1/{kind}/mutoscope/echo/predictions", json={"input": {"text": kind}})
        assert answer.status_code == 201
        done = await runner.reach(answer.json()["id"], {"succeeded"})
        assert (done["output"], done.get("deployment")) == (kind, "mutoscope/echo" if kind == "deployments" else None)


async def test_waiting_answers_when_it_is_done_or_when_the_time_is_over(runner: Client) -> None:
    done = await runner.create({"seconds": 0.1}, headers={"Prefer": "wait"})
    assert (done.status_code, done.json()["status"]) == (201, "succeeded")
    assert done.headers["preference-applied"] == "wait=60"
    unfinished = await runner.create({"seconds": 60}, headers={"Prefer": "wait=1"})
    assert (unfinished.status_code, unfinished.json()["status"]) == (202, "processing")


async def test_cancel_stops_it_at_once_and_only_once(runner: Client) -> None:
    created = await runner.start({"seconds": 60})
    await runner.reach(created["id"], {"processing"})
    canceled = (await runner.http.post(f"/v1/predictions/{created['id']}/cancel")).json()
    assert canceled["status"] == "canceled"
    assert canceled["metrics"]["predict_time"] < 60
    again = (await runner.http.post(f"/v1/predictions/{created['id']}/cancel")).json()
    assert again == canceled
    assert (await runner.stats())["in_flight"] == 0


async def test_cancel_leaves_a_finished_prediction_alone(runner: Client) -> None:
    done = await runner.run()
    assert (await runner.http.post(f"/v1/predictions/{done['id']}/cancel")).json() == done


async def test_the_deadline_cancels_what_runs_and_aborts_what_waits(runner: Client) -> None:
    running_one, waiting_one = await asyncio.gather(
        runner.start({"seconds": 60}, headers={"Cancel-After": "5s"}),
        runner.start({}, headers={"Cancel-After": "5"}, faults={"start_delay_s": 60}),
    )
    created, deadline = (datetime.fromisoformat(running_one[key]) for key in ("created_at", "deadline"))
    assert (deadline - created).total_seconds() == 5
    canceled = await runner.reach(running_one["id"], {"canceled"})
    aborted = await runner.reach(waiting_one["id"], {"aborted"})
    assert 5 <= canceled["metrics"]["total_time"] < 8
    assert "started_at" not in aborted
    assert "predict_time" not in aborted["metrics"]


async def test_lists_the_newest_first_in_pages_that_do_not_overlap(runner: Client) -> None:
    made = [(await runner.start())["id"] for _ in range(150)]
    first = (await runner.http.get("/v1/predictions")).json()
    second = (await runner.http.get(first["next"])).json()
    assert len(first["results"]) == 100
    assert second["next"] is None
    assert [one["id"] for one in first["results"] + second["results"]] == made[::-1]


async def test_lists_what_was_created_between_two_times(runner: Client) -> None:
    made = [await runner.run() for _ in range(3)]
    times = [one["created_at"] for one in made]
    assert len(set(times)) == 3
    after = (await runner.http.get("/v1/predictions", params={"created_after": times[1]})).json()["results"]
    before = (await runner.http.get("/v1/predictions", params={"created_before": times[1]})).json()["results"]
    assert made[2] in after
    assert made[0] not in after
    assert made[2] not in before
    assert made[0] in before


async def test_a_list_shows_what_runs_as_it_is_now(runner: Client) -> None:
    created = await runner.start({"seconds": 60})
    await runner.reach(created["id"], {"processing"})
    assert (await runner.http.get("/v1/predictions")).json()["results"][0]["status"] == "processing"


async def test_data_is_removed_after_the_retention(tmp_path: Path) -> None:
    async with running(tmp_path, retention_s=1.5) as runner:
        done = await runner.run({"text": "secret", "output": "file"})
        shown = await eventually(lambda: runner.get(done["id"]), lambda shown: shown["data_removed"])
        assert (shown["input"], shown["output"], shown["logs"], shown["status"]) == ({}, None, "", "succeeded")
        assert (await runner.http.get(done["output"])).status_code == 404
        assert disk_bytes(tmp_path) == 0


async def test_creates_are_limited_when_asked_for(tmp_path: Path) -> None:
    async with running(tmp_path, create_limit={"per_minute": 6, "burst": 2}) as runner:
        answers = [await runner.create() for _ in range(3)]
        assert [one.status_code for one in answers] == [201, 201, 429]
        assert 1 <= int(answers[2].headers["retry-after"]) <= 10
        assert answers[2].json()["retry_after"] == int(answers[2].headers["retry-after"])
        assert "resets in ~" in answers[2].json()["detail"]
        assert (await runner.stats())["creates"] == {"received": 3, "accepted": 2}


async def test_hundreds_run_at_once(runner: Client) -> None:
    ids = [(await runner.start({"seconds": 0.5}))["id"] for _ in range(300)]
    stats = await eventually(runner.stats, lambda stats: not stats["in_flight"])
    assert stats["predictions"] == {"succeeded": len(ids)}
