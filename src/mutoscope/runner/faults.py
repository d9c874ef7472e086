"""Faults on demand: what to do wrong, on which creates, how often.

A plan is JSON: ``{"seed": 1, "rules": [{"when": {"model": "mutoscope/echo", "input": "cat", "nth": 3}, "count": 1,
"probability": 0.5, "do": {"create_429": 2}}]}``. What a rule does is also what one request may ask for by itself, in
the header ``X-Runner-Faults`` or the query parameter ``runner_faults``. ``docs/runner.md`` describes each fault.
"""

import json
import random
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mutoscope.core.errors import InvalidRequest
from mutoscope.replicate_protocol.predictions import WebhookEvent

PREEMPTED = "Prediction interrupted; please retry (code: PA)"


class Faults(BaseModel):
    """What goes wrong with one prediction, from its create to the last read of its files. Times are in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    create_delay_s: float = Field(default=0, ge=0)
    create_429: float | None = Field(default=None, ge=0, description="Seconds to name in Retry-After; 0 names none.")
    create_500: bool = False
    create_503: bool = False
    refuse_then_drop: bool = False
    accept_then_drop: bool = False
    accept_then_500: bool = False
    start_delay_s: float = Field(default=0, ge=0)
    fail: str | None = None
    preempt: bool = False
    abort: bool = False
    hang: bool = False
    webhook_lost: bool | tuple[WebhookEvent, ...] = False
    webhook_doubled: bool = False
    webhook_early: bool = False
    webhook_late_s: float = Field(default=0, ge=0)
    webhook_forged: bool = False
    webhook_reordered: bool = False
    file_truncated: bool = False
    file_oversized: bool | int = Field(default=False, description="Bytes to send, or true for no end.")
    file_wrong_type: bool = False
    file_404: bool = False
    file_slow: float = Field(default=0, ge=0, description="Bytes per second.")
    file_500_once: bool = False
    get_500: int = Field(default=0, ge=0, description="How many reads of the prediction fail.")
    get_timeout_s: float = Field(default=0, ge=0, description="How long the next read of the prediction is held.")
    list_empty: int = Field(default=0, ge=0, description="How many lists leave everything out from now on.")
    stream_cut: int = Field(default=0, ge=0, description="After so many events each connection to the stream closes.")
    cancel_lost: int = Field(default=0, ge=0, description="How many cancels are acknowledged without effect.")

    def merged(self, other: "Faults") -> "Faults":
        """These faults, and where ``other`` sets something, that."""
        return self.model_copy(update={name: getattr(other, name) for name in other.model_fields_set})

    @property
    def failure(self) -> str | None:
        """The error the prediction fails with, if it is to fail."""
        return PREEMPTED if self.preempt else self.fail

    def loses(self, event: WebhookEvent) -> bool:
        """Whether the webhook of this event is never sent."""
        return self.webhook_lost if isinstance(self.webhook_lost, bool) else event in self.webhook_lost

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """Read the JSON of one request's faults; nothing means none. Raises ``InvalidRequest``."""
        try:
            return cls() if not text else cls.model_validate_json(text)
        except ValidationError as error:
            raise InvalidRequest(f"The faults asked for are not valid: {_sentence(error)}") from error


class When(BaseModel):
    """Which creates a rule is about: all of the conditions that are given must hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = Field(
        default=None, description="owner/name, a version or deployments/owner/name, as it was asked for."
    )
    input: str | None = Field(default=None, description="Text that occurs in the input's JSON.")
    nth: int | None = Field(default=None, ge=1, description="Only the nth create that the other conditions hold for.")


class Rule(BaseModel):
    """Commit ``do`` on matching creates, at most ``count`` times, each time with ``probability``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    do: Faults
    when: When = When()
    count: int | None = Field(default=None, ge=1)
    probability: float = Field(default=1, ge=0, le=1)


class FaultPlan(BaseModel):
    """Rules and the seed of their dice. Every rule that matches contributes; a later rule wins over an earlier one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    rules: tuple[Rule, ...] = ()

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Read a plan from JSON. Raises ``InvalidRequest``, which names the field that is wrong."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise InvalidRequest(f"The fault plan is not valid: {_sentence(error)}") from error


class Dice:
    """A plan at work: counts creates and uses rules up."""

    def __init__(self, plan: FaultPlan) -> None:
        self._rules = plan.rules
        self._random = random.Random(plan.seed)  # noqa: S311 - reproducible on purpose
        self._matched = [0] * len(plan.rules)
        self._used = [0] * len(plan.rules)

    def roll(self, model: str, model_input: dict[str, Any]) -> Faults:
        """The faults of the next create."""
        faults = Faults()
        text = json.dumps(model_input, ensure_ascii=False) if any(rule.when.input for rule in self._rules) else ""
        for index, rule in enumerate(self._rules):
            if self._applies(index, rule, model, text):
                faults = faults.merged(rule.do)
        return faults

    def _applies(self, index: int, rule: Rule, model: str, text: str) -> bool:
        when = rule.when
        if (when.model and when.model != model) or (when.input and when.input not in text):
            return False
        self._matched[index] += 1
        if (when.nth and when.nth != self._matched[index]) or (rule.count and self._used[index] >= rule.count):
            return False
        if self._random.random() >= rule.probability:
            return False
        self._used[index] += 1
        return True


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'document'}: {first['msg']}"
