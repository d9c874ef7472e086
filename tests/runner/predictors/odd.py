"""A predictor that takes and gives what is hard to carry, for the tests."""

import json
from collections.abc import Iterator
from typing import Any

HALF = "half \ud800 pair"
DEEP = json.loads("[" * 300 + "]" * 300)


def predict(kind: str = "text", size: int = 0, names: list[str] | None = None) -> Any:
    match kind:
        case "names":
            return names
        case "large":
            return "x" * size
        case "numbers":
            return [float("nan"), float("inf"), 1.5]
        case "half":
            print(HALF)
            return HALF
        case "error":
            raise ValueError(HALF)
        case "pairs":
            return {(1, 2): 3}
        case "deep":
            return DEEP
        case _:
            return kind


def pieces() -> Iterator[Any]:
    yield float("nan")
    yield HALF
    yield "end"
