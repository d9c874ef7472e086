"""Errors as they travel: ``detail`` says what is wrong; ``title``, ``status`` and more come with most of them.

The document of record shows only ``detail``; the rest is what the real API has been seen to send.
"""

from typing import Any, cast

from pydantic import ValidationError

from mutoscope.replicate_protocol.wire import Text, Wire


class InvalidField(Wire):
    """One fault of a request: where it is (``input.width``), which rule it breaks, and a sentence."""

    type: str
    field: str
    description: str


class ErrorBody(Wire):
    """The body of an answer of 400 and above; ``retry_after`` is in seconds."""

    title: str | None = None
    detail: Text = None
    status: int | None = None
    type: str | None = None
    retry_after: float | None = None
    invalid_fields: list[InvalidField] | None = None

    @classmethod
    def read(cls, body: Any) -> "ErrorBody":
        """Whatever came as an error, as far as it can be understood; never raises."""
        if not isinstance(body, dict):
            return cls.model_validate({"detail": body})
        fields = {str(name): value for name, value in cast("dict[object, object]", body).items()}
        try:
            return cls.model_validate(fields)
        except ValidationError:
            return cls.model_validate({"detail": fields.get("detail", fields)})
