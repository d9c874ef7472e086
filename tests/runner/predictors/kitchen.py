"""A predictor with every kind of input and output, for the tests; written as for Cog."""

# pyright: basic, reportIncompatibleMethodOverride=false, reportCallIssue=false, reportArgumentType=false
# pyright: reportInvalidTypeForm=false, reportReturnType=false

import enum
import sys
import tempfile
import time
from typing import Literal, Optional

from cog import BaseModel, BasePredictor, Input, Path, Secret


class Shape(str, enum.Enum):
    ROUND = "round"
    SQUARE = "square"


class Dish(BaseModel):
    name: str
    picture: Path


class Predictor(BasePredictor):
    """Cooks what it is told.

    This is not part of the short description.
    """

    def setup(self) -> None:
        print("setting up")
        self.served = 0
        self.directory = tempfile.TemporaryDirectory()

    def predict(
        self,
        name: str = Input(description="What to cook.", min_length=1, max_length=20, regex="^[a-z ]+$"),
        heat: float = Input(default=0.5, ge=0, le=1),
        portions: int = Input(default=1, ge=1, le=10),
        salted: bool = True,
        size: str = Input(default="small", choices=["small", "large"]),
        shape: Shape = Shape.ROUND,
        course: Literal["first", "second"] = "first",
        recipe: Optional[Path] = Input(default=None, description="A text to read."),
        extras: list[str] = Input(default=[]),
        secret: Secret | None = None,
        seconds: float = 0.0,
        fail: str | None = None,
    ) -> Dish:
        self.served += 1
        print(f"cooking {name} at {heat} for {portions}, {size}, {shape.value}, {course}, {salted}, {extras}")
        print("50%|#####     | 1/2 [00:00<00:00, 9.99it/s]", file=sys.stderr)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
        if fail:
            raise ValueError(fail)
        if secret:
            print(f"the secret is {secret} and has {len(secret.get_secret_value())} letters")
        picture = Path(self.directory.name) / "dish.txt"
        picture.write_text(recipe.read_text() if recipe else f"{name} number {self.served}")
        return Dish(name=name, picture=picture)
