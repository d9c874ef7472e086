"""What can become of a generation, how the runner is made to let that happen, and at which points it is killed then."""

from dataclasses import dataclass, field
from typing import Any, Literal

Provider = Literal["runner", "closed port at first", "without the model"]
QUIET = {"webhook_lost": ["start", "output", "logs"]}
# Made, but neither its answer nor the list tells of it: it is given up, on record, and another is bought.
GIVEN_UP = {"accept_then_drop": True, "list_empty": 100, **QUIET}


def both(*commits: str) -> list[str]:
    return [f"{name}.{side}_commit" for name in commits for side in ("before", "after")]


@dataclass(frozen=True)
class Outcome:
    """One of them.

    Attributes:
        points: Where it is killed.
        inputs: What is asked of the test model.
        faults: What the runner does wrong to the first create, the second …
        ends: The final status and its failure code.
        predictions: How many are bought.
        cancel: Whether the client cancels once it runs.
        told: Whether the provider sends webhooks; else it is polled.
        provider: Which one; at first means: for the process that is killed.
        doubt_window_s: How long a lost answer is waited for.
    """

    points: list[str]
    inputs: dict[str, Any] = field(default_factory=dict[str, Any])
    faults: tuple[dict[str, Any], ...] = ()
    ends: tuple[str, str | None] = ("completed", None)
    predictions: int = 1
    cancel: bool = False
    told: bool = False
    provider: Provider = "runner"
    doubt_window_s: float = 1


OUTCOMES: dict[str, Outcome] = {
    "succeeded": Outcome(
        [
            *both("accept", "admit", "claim", "intent", "bind", "look_later", "observed", "stored", "settle"),
            "create.after_call",
            "get.after_call",
            "put.before_call",
            "put.after_call",
        ],
        inputs={"seconds": 1.2},
    ),
    "failed": Outcome(
        both("fail", "settle"), inputs={"fail": "index out of range"}, ends=("failed", "provider_failed")
    ),
    "preempted": Outcome(both("retry", "intent", "settle"), faults=({"preempt": True},), predictions=2),
    "canceled": Outcome(
        ["cancel.after_call", *both("fail", "settle")],
        inputs={"seconds": 60},
        cancel=True,
        ends=("canceled", "canceled_by_user"),
    ),
    "answer lost": Outcome(both("doubt", "bind", "settle"), faults=({"accept_then_drop": True},)),
    "not accepted": Outcome(both("doubt", "doubt_wait", "abandon"), faults=({"refuse_then_drop": True},)),
    "throttled": Outcome(both("throttle"), faults=({"create_429": 0.2},)),
    "not reached": Outcome(both("refuse"), provider="closed port at first"),
    "refused": Outcome(
        both("refuse", "settle"), provider="without the model", ends=("failed", "provider_refused"), predictions=0
    ),
    "told of success": Outcome(both("webhook", "stored", "settle"), told=True),
    "told of failure": Outcome(
        both("webhook"), inputs={"fail": "index out of range"}, ends=("failed", "provider_failed"), told=True
    ),
    "told of progress, canceled": Outcome(
        both("webhook"), inputs={"seconds": 60}, cancel=True, ends=("canceled", "canceled_by_user"), told=True
    ),
    # The webhook that tells of it dies with the process, and is sent again after a while.
    "answer lost, told": Outcome(
        both("webhook", "bind"),
        faults=({"accept_then_drop": True, "list_empty": 100},),
        told=True,
        doubt_window_s=60,
    ),
    # The first is given up and succeeds later, while the second has not begun.
    "adopted": Outcome(
        both("adopt", "put_down"),
        faults=({**GIVEN_UP, "start_delay_s": 4}, {"start_delay_s": 30, **QUIET}),
        predictions=2,
        told=True,
    ),
    # The first is given up and fails later, while the second runs.
    "of no use": Outcome(
        both("put_down"),
        inputs={"seconds": 8},
        faults=({**GIVEN_UP, "start_delay_s": 4, "fail": "too late"}, QUIET),
        predictions=2,
        told=True,
    ),
    # The first is heard of when the second has long brought the result.
    "too late": Outcome(
        both("put_down", "tidy"), faults=({**GIVEN_UP, "webhook_late_s": 5},), predictions=2, told=True
    ),
}
CASES = [(name, point) for name, outcome in OUTCOMES.items() for point in outcome.points]

# Where a service that owes webhooks is killed; see test_webhook_points.py.
OF_WEBHOOKS = [*both("secret", "delivery_claim", "delivery_end"), "post.after_call"]
OWES_MORE = both("accept", "bind", "look_later", "settle")
# Passed only by inputs that name a file; see test_input_files.py.
FILE_POINTS = [*both("file_claim"), "send_file.after_call"]
# Passed only while somebody reads a stream; see test_streams.py.
STREAM_POINTS = both("stream")
