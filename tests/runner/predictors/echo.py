"""What ``mutoscope/echo`` does, as far as clients are tested with it, for a real Cog server; and it echoes files."""

# pyright: basic, reportIncompatibleMethodOverride=false, reportArgumentType=false

import base64
import io
import sys
import tempfile
import time
from pathlib import Path as FilePath
from typing import Any, Optional

from cog import BasePredictor, Input, Path
from PIL import Image


class Predictor(BasePredictor):
    def setup(self) -> None:
        picture = io.BytesIO()
        Image.new("RGB", (8, 8), "orange").save(picture, "PNG")
        self.picture = picture.getvalue()
        self.directory = tempfile.TemporaryDirectory()

    def predict(
        self,
        text: str = Input(default="hello"),
        seconds: float = Input(default=0, ge=0, le=600),
        output: str = Input(default="text", choices=["text", "list", "dict", "data_uri"]),
        fail: Optional[str] = Input(default=None),
        file: Optional[Path] = Input(default=None),
    ) -> Any:
        steps = max(1, round(seconds * 4))
        for step in range(steps):
            time.sleep(seconds / steps)
            print(f"{100 * (step + 1) // steps}%|##########| {step + 1}/{steps}", file=sys.stderr, flush=True)
        if fail:
            raise ValueError(fail)
        if file:
            return self.file("again.bin", file.read_bytes())
        match output:
            case "list":
                return text.split()
            case "dict":
                return {"image": self.file("image.png"), "mask": self.file("mask.png"), "text": text}
            case "data_uri":
                return f"data:image/png;base64,{base64.b64encode(self.picture).decode()}"
            case _:
                return text

    def file(self, name: str, data: bytes = b"") -> Path:
        made = FilePath(self.directory.name) / name
        made.write_bytes(data or self.picture)
        return Path(made)
