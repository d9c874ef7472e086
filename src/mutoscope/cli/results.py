"""What a check of ``mutoscope doctor`` finds."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "advice", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class Result:
    """How one check went; ``todo`` says what to do about it. ``skipped`` for what another failure says."""

    check: str
    state: State
    detail: str
    todo: str = ""
