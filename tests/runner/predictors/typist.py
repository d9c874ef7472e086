"""A predictor that types what it is told, in the pieces that it is told."""

# pyright: basic, reportIncompatibleMethodOverride=false, reportCallIssue=false, reportArgumentType=false
# pyright: reportInvalidTypeForm=false, reportReturnType=false

import time

from cog import BasePredictor, ConcatenateIterator, Input


class Typist(BasePredictor):
    def predict(
        self, text: str, seconds: float = Input(description="Between pieces.", default=0.3)
    ) -> ConcatenateIterator[str]:
        for piece in text.split("|"):
            yield piece
            time.sleep(seconds)
