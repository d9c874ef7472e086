"""Predictors that give their output piece by piece."""

# pyright: basic, reportIncompatibleMethodOverride=false, reportCallIssue=false, reportArgumentType=false
# pyright: reportInvalidTypeForm=false, reportReturnType=false

import tempfile
from collections.abc import AsyncIterator

from cog import BasePredictor, ConcatenateIterator, Input, Path


class Poet(BasePredictor):
    def predict(self, words: int = Input(default=3, ge=0, le=100)) -> ConcatenateIterator[str]:
        for index in range(words):
            yield f"word{index} "


class AsyncPoet(BasePredictor):
    async def setup(self) -> None:
        self.ready = True

    async def predict(self, words: int = Input(default=3)) -> AsyncIterator[str]:
        for index in range(words):
            yield f"{self.ready}{index}"


class Painter(BasePredictor):
    def predict(self, sizes: list[Path] = Input(description="Files to measure.")) -> list[Path]:
        made = []
        self.directory = tempfile.TemporaryDirectory()
        for index, one in enumerate(sizes):
            path = Path(self.directory.name) / f"size{index}.txt"
            path.write_text(str(len(one.read_bytes())))
            made.append(path)
        return made


def predict(text: str) -> str:
    return text[::-1]
