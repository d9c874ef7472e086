"""What a check of ``mutoscope doctor`` finds."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "advice", "failed"]


@dataclass(frozen=True, slots=True)
class Result:
    """How one check went; ``todo`` says what to do about it."""

    check: str
    state: State
    detail: str
    todo: str = ""
