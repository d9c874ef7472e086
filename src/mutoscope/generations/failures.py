"""Why a generation failed, pure: machine-readable codes, and which causes deserve another prediction.

The provider's codes are from Replicate's list of error codes; pre-emption (PA) is seen in users' reports only.
"""

import re
from dataclasses import dataclass

from mutoscope.core.json_limits import keepable
from mutoscope.providers.base import Prediction

MAX_DETAIL = 1000


@dataclass(frozen=True, slots=True)
class Failure:
    """A cause.

    Attributes:
        code: Stable and machine-readable; also the reason that stands on the voided hold.
        detail: One sentence for people, with the provider's own words where there are any.
        try_again: Whether a new prediction may well succeed.
    """

    code: str
    detail: str
    try_again: bool = False


_CAUSES: tuple[tuple[re.Pattern[str], str, bool], ...] = (
    (re.compile(r"code: PA\)|prediction interrupted", re.IGNORECASE), "provider_preempted", True),
    (re.compile(r"\bE6716\b"), "provider_start_timeout", True),
    (re.compile(r"\bE1000\b"), "provider_failed", True),
    (re.compile(r"\bE1001\b|out of memory", re.IGNORECASE), "provider_out_of_memory", False),
    (re.compile(r"\bE005\b|nsfw|safety|sensitive|flagged", re.IGNORECASE), "content_refused", False),
)


def of_prediction(prediction: Prediction, *, canceled_by_user: bool, past_deadline: bool) -> Failure:
    """The cause behind a prediction that ended without success. An unknown status counts as a plain failure."""
    said = str(keepable((prediction.error or "").strip()[:MAX_DETAIL]))
    if canceled_by_user and prediction.status in ("canceled", "aborted"):
        return Failure("canceled_by_user", "You canceled this generation.")
    if prediction.status in ("canceled", "aborted") and past_deadline:
        return Failure("run_deadline", f"The model did not finish in time; the provider ended it. {said}".strip())
    if prediction.status in ("canceled", "aborted"):
        return Failure(
            f"provider_{prediction.status}", f"The provider {prediction.status} the prediction. {said}".strip()
        )
    for pattern, code, try_again in _CAUSES:
        if pattern.search(said):
            return Failure(code, said, try_again)
    return Failure("provider_failed", said or "The model failed without saying why.")
