"""A predictor for a real Cog server: it takes its time, prints, fails, and gives a file, as it is told."""

# pyright: basic, reportIncompatibleMethodOverride=false, reportArgumentType=false

import tempfile
import time
from pathlib import Path as FilePath
from typing import Optional

from cog import BasePredictor, Input, Path


class Predictor(BasePredictor):
    def predict(
        self,
        text: str = Input(description="What to write into the file."),
        seconds: float = Input(default=0, ge=0, le=600),
        fail: Optional[str] = Input(default=None),
        file: Optional[Path] = Input(default=None),
    ) -> list[Path]:
        print(f"writing {text}", flush=True)
        time.sleep(seconds)
        if fail:
            raise ValueError(fail)
        self.directory = tempfile.TemporaryDirectory()
        made = FilePath(self.directory.name) / "made.txt"
        made.write_text(text + (file.read_text() if file else ""))
        return [Path(made)]
