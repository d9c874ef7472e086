"""Models as they travel: what Replicate answers, and what it is asked to create and to change."""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from mutoscope.replicate_protocol.versions import Version
from mutoscope.replicate_protocol.wire import Wire

Visibility = Literal["public", "private"]


class Model(Wire):
    """One model, as ``GET /v1/models/{owner}/{name}`` shows it."""

    nullable: ClassVar[frozenset[str]] = frozenset(
        {
            "description",
            "github_url",
            "paper_url",
            "license_url",
            "cover_image_url",
            "default_example",
            "latest_version",
        },
    )

    url: str = ""
    owner: str
    name: str
    description: str | None = None
    visibility: str = "public"
    is_official: bool = False
    github_url: str | None = None
    paper_url: str | None = None
    license_url: str | None = None
    run_count: int = 0
    cover_image_url: str | None = None
    default_example: dict[str, Any] | None = None
    latest_version: Version | None = None


class UpdateModel(BaseModel):
    """The body of ``PATCH /v1/models/{owner}/{name}``: only what is named is changed."""

    model_config = ConfigDict(extra="ignore")

    description: str | None = None
    readme: str | None = None
    github_url: str | None = None
    paper_url: str | None = None
    weights_url: str | None = None
    license_url: str | None = None


class CreateModel(BaseModel):
    """The body of ``POST /v1/models``."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    owner: str
    name: str
    visibility: Visibility
    hardware: str
    description: str | None = None
    github_url: str | None = None
    paper_url: str | None = None
    license_url: str | None = None
    cover_image_url: str | None = None
