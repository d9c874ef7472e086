"""The two adapters that the shared tests run over, each with what a test does around it.

The fake is told what to do; Replicate's adapter speaks to a real runner, which does by itself what it is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Literal, Protocol

import httpx

from mutoscope.core.clock import ManualClock
from mutoscope.providers.base import AnswerLost, FileCopy, Prediction, PredictionRequest, Provider, Throttled
from mutoscope.providers.fake import ANY_INPUT, FakeProvider, Turn
from mutoscope.providers.replicate import Replicate
from tests.world import AUTH, RunnerProcess, until

Fault = Literal["answer lost, made", "answer lost, not made", "throttled", "cancel lost", "list empty"]
RETRY_AFTER_S = 7.0


def request(reference: str, text: str, **more: Any) -> PredictionRequest:
    inputs = {"text": text, "seconds": more.pop("seconds", 0)}
    values: dict[str, Any] = {"webhook": None, "webhook_events": ("completed",), "cancel_after_s": 60, **more}
    return PredictionRequest(reference, inputs, **values)


class Bench(Protocol):
    """One adapter under test."""

    @property
    def provider(self) -> Provider: ...

    @property
    def references(self) -> Mapping[str, str]: ...

    @property
    def secret(self) -> str: ...

    def now(self) -> datetime: ...

    async def ended(self, prediction: Prediction) -> Prediction:
        """A prediction that was asked to run for no time, once it has succeeded."""
        ...

    async def pass_deadline(self, prediction: Prediction) -> None:
        """Wait until ``Cancel-After`` is over."""
        ...

    def training(self, train_data: str, **more: Any) -> PredictionRequest:
        """A request for a training that runs for long."""
        ...

    async def hash_of(self, copy: FileCopy) -> str:
        """The SHA-256 of a copy as the provider has it."""
        ...

    def fault(self, fault: Fault) -> None:
        """Go wrong with the next create, or with what it makes."""
        ...


@dataclass
class FakeBench:
    provider: FakeProvider
    clock: ManualClock
    references: Mapping[str, str]

    @classmethod
    def make(cls) -> "FakeBench":
        clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
        references = {
            "official": "mutoscope/echo",
            "version": f"mutoscope/echo:{'c' * 64}",
            "bare version": "c" * 64,
            "deployment": "deployments/mutoscope/echo",
        }
        provider = FakeProvider(clock, dict.fromkeys(references.values(), ANY_INPUT))
        return cls(provider, clock, references)

    @property
    def secret(self) -> str:
        return self.provider._secret

    def now(self) -> datetime:
        return self.clock.now()

    async def ended(self, prediction: Prediction) -> Prediction:
        self.provider.start(prediction.id)
        self.clock.advance(timedelta(seconds=1))
        self.provider.finish(prediction.id, "succeeded", output=prediction.input["text"])
        return await self.provider.get(prediction.id)

    async def pass_deadline(self, prediction: Prediction) -> None:
        assert prediction.deadline
        self.provider.start(prediction.id)
        self.clock.advance(prediction.deadline - self.clock.now())

    def training(self, train_data: str, **more: Any) -> PredictionRequest:
        made = request(self.references["version"], "", **more)
        return replace(made, input={"train_data": train_data}, destination="local/fox")

    async def hash_of(self, copy: FileCopy) -> str:
        return next(sha256(data).hexdigest() for _, data, made in self.provider.files if made == copy)

    def fault(self, fault: Fault) -> None:
        match fault:
            case "answer lost, made":
                self.provider.script.append(Turn(1, AnswerLost("lost")))
            case "answer lost, not made":
                self.provider.script.append(Turn(0, AnswerLost("lost")))
            case "throttled":
                self.provider.script.append(Turn(0, Throttled("slowly", retry_after_s=RETRY_AFTER_S)))
            case "cancel lost":
                self.provider.cancels_nothing = True
            case "list empty":
                self.provider.lists_nothing = True


@dataclass
class RunnerBench:
    provider: Replicate
    runner: RunnerProcess
    references: Mapping[str, str]

    @classmethod
    def make(cls, runner: RunnerProcess) -> "RunnerBench":
        runner.plan()
        model = httpx.get(f"{runner.url}/v1/models/mutoscope/echo", headers=AUTH).raise_for_status().json()
        version = model["latest_version"]["id"]
        scribe = httpx.get(f"{runner.url}/v1/models/mutoscope/scribe", headers=AUTH).raise_for_status().json()
        destination = {"owner": "local", "name": "fox", "visibility": "private", "hardware": "cpu"}
        httpx.post(f"{runner.url}/v1/models", json=destination, headers=AUTH)  # made once for all tests
        references = {
            "official": "mutoscope/echo",
            "version": f"mutoscope/echo:{version}",
            "bare version": version,
            "deployment": "deployments/mutoscope/echo",
            "trainable": f"mutoscope/scribe:{scribe['latest_version']['id']}",
        }
        return cls(Replicate(runner.url, "test", webhook_secrets=[runner.secret]), runner, references)

    @property
    def secret(self) -> str:
        return self.runner.secret

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def ended(self, prediction: Prediction) -> Prediction:
        async def look() -> Prediction | None:
            found = await self.provider.get(prediction.id)
            return found if found.terminal else None

        return await until(look)

    async def pass_deadline(self, prediction: Prediction) -> None:
        await self.ended(prediction)

    def training(self, train_data: str, **more: Any) -> PredictionRequest:
        made = request(self.references["trainable"], "", **more)
        return replace(made, input={"train_data": train_data, "seconds": 50}, destination="local/fox")

    async def hash_of(self, copy: FileCopy) -> str:
        async with httpx.AsyncClient(headers=AUTH) as http:
            return (await http.get(copy.url)).raise_for_status().json()["checksums"]["sha256"]

    def fault(self, fault: Fault) -> None:
        faults: dict[Fault, dict[str, Any]] = {
            "answer lost, made": {"accept_then_drop": True},
            "answer lost, not made": {"refuse_then_drop": True},
            "throttled": {"create_429": RETRY_AFTER_S},
            "cancel lost": {"cancel_lost": 1},
            "list empty": {"list_empty": 1},
        }
        self.runner.plan({"do": faults[fault], "count": 1})
