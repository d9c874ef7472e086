"""Names of what can be run, as people copy them from Replicate's pages."""

import re
from dataclasses import dataclass
from typing import Literal

from mutoscope.core.errors import MutoscopeError

_SLUG = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?"
_VERSION = re.compile(r"[0-9a-f]{64}")
_MODEL = re.compile(rf"(?P<owner>{_SLUG})/(?P<name>{_SLUG})(?::(?P<version>[0-9a-f]{{64}}))?")
_DEPLOYMENT = re.compile(rf"deployments/(?P<owner>{_SLUG})/(?P<name>{_SLUG})")


class InvalidReference(MutoscopeError):
    """The text does not name a model, a version or a deployment."""

    status, code, title = 422, "invalid_reference", "The model reference is not valid"


@dataclass(frozen=True, slots=True)
class ModelReference:
    """What to run.

    Attributes:
        kind: ``official`` is run by its name, ``version`` by its 64-hex version, ``deployment`` by its own endpoint.
        owner: The owner; ``None`` for a bare version.
        name: The model's or deployment's name; ``None`` for a bare version.
        version: The version; ``None`` unless ``kind`` is ``version``.
    """

    kind: Literal["official", "version", "deployment"]
    owner: str | None = None
    name: str | None = None
    version: str | None = None

    @property
    def model(self) -> str | None:
        """``owner/name``, or ``None`` for a bare version."""
        return f"{self.owner}/{self.name}" if self.owner else None

    def __str__(self) -> str:
        """The text it was parsed from."""
        match self.kind:
            case "deployment":
                return f"deployments/{self.model}"
            case "official":
                return f"{self.model}"
            case "version":
                return f"{self.model}:{self.version}" if self.model else f"{self.version}"


def is_model_name(text: str) -> bool:
    """Whether the text is ``owner/name`` and nothing else."""
    found = _MODEL.fullmatch(text)
    return found is not None and found["version"] is None


def parse_reference(text: str) -> ModelReference:
    """Read ``owner/name``, ``owner/name:version``, a bare version or ``deployments/owner/name``.

    Raises:
        InvalidReference: It is none of them; the sentence says which forms there are.
    """
    text = text.strip()
    if _VERSION.fullmatch(text):
        return ModelReference("version", version=text)
    if match := _DEPLOYMENT.fullmatch(text):
        return ModelReference("deployment", owner=match["owner"], name=match["name"])
    if match := _MODEL.fullmatch(text):
        kind = "version" if match["version"] else "official"
        return ModelReference(kind, owner=match["owner"], name=match["name"], version=match["version"])
    raise InvalidReference(
        f"{text[:200]!r} is not a model reference; write 'owner/name' for an official model, 'owner/name:version' or "
        "the version alone (64 hexadecimal digits), or 'deployments/owner/name'.",
    )
