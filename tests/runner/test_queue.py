"""Queues, cold starts, limits and tokens: what makes a runner as slow and as strict as the real one."""

import asyncio
from pathlib import Path

from tests.runner.harness import Client, eventually, running

TIME_S = 1.5


async def statuses(runner: Client) -> list[str]:
    return [one["status"] for one in (await runner.http.get("/v1/predictions")).json()["results"][::-1]]


async def test_as_many_run_at_once_as_there_are_workers_in_the_order_they_came(tmp_path: Path) -> None:
    async with running(tmp_path, workers={"mutoscope/echo": 2}) as runner:
        made = [(await runner.start({"seconds": 60}))["id"] for _ in range(4)]
        await runner.reach(made[1], {"processing"})
        assert await statuses(runner) == ["processing", "processing", "starting", "starting"]
        await runner.http.post(f"/v1/predictions/{made[0]}/cancel")
        await runner.reach(made[2], {"processing"})
        assert await statuses(runner) == ["canceled", "processing", "processing", "starting"]


async def test_what_waits_longer_than_its_deadline_is_aborted(tmp_path: Path) -> None:
    async with running(tmp_path, workers={"mutoscope/echo": 1}) as runner:
        await runner.start({"seconds": 60})
        waits = await runner.start({}, headers={"Cancel-After": "5s"})
        aborted = await runner.reach(waits["id"], {"aborted"})
        assert "started_at" not in aborted


async def test_a_cold_model_takes_its_time_and_a_warm_one_does_not(tmp_path: Path) -> None:
    async with running(tmp_path, cold_start_s=TIME_S, idle_s=600) as runner:
        cold = await asyncio.gather(runner.run(), runner.run())
        assert all(one["metrics"]["total_time"] >= TIME_S * 0.95 for one in cold)
        assert all(one["metrics"]["predict_time"] < TIME_S * 0.95 for one in cold)
        warm = await runner.run()
        assert warm["metrics"]["total_time"] < TIME_S * 0.95


async def test_an_idle_model_is_cold_again(tmp_path: Path) -> None:
    async with running(tmp_path, cold_start_s=TIME_S, idle_s=0) as runner:
        for _ in range(2):
            assert (await runner.run())["metrics"]["total_time"] >= TIME_S * 0.95


async def test_each_token_has_its_own_budget(tmp_path: Path) -> None:
    limit = {"per_minute": 1, "burst": 1, "low_credit": True}
    async with running(tmp_path, token="a", more_tokens=("b",), create_limit=limit) as runner:
        for token, wanted in (("a", 201), ("a", 429), ("b", 201), ("b", 429), ("c", 401)):
            answer = await runner.create(headers={"authorization": f"Bearer {token}"})
            assert answer.status_code == wanted
            if wanted == 429:
                assert "reduced to 1 requests per minute with a burst of 1" in answer.json()["detail"]
                assert answer.json()["retry_after"] > 0


async def test_reads_are_limited_apart_from_creates(tmp_path: Path) -> None:
    limits = {"create_limit": {"per_minute": 1, "burst": 3}, "request_limit": {"per_minute": 600, "burst": 2}}
    async with running(tmp_path, **limits) as runner:
        assert [(await runner.create()).status_code for _ in range(4)] == [201, 201, 201, 429]
        reads = [(await runner.http.get("/v1/account")).status_code for _ in range(5)]
        assert reads[:2] == [200, 200]
        assert 429 in reads

        async def account() -> dict[str, int]:
            return {"status": (await runner.http.get("/v1/account")).status_code}

        await eventually(account, lambda answer: answer["status"] == 200)
