"""A predictor that gives what is hard to carry, for the tests."""

from typing import Any


def predict(kind: str = "text", size: int = 0) -> Any:
    match kind:
        case "large":
            return "x" * size
        case _:
            return kind
