"""Deployments as they travel: a name under which one version of a model runs, and can be changed for another."""

from pydantic import BaseModel, ConfigDict, Field

from mutoscope.replicate_protocol.account import Account
from mutoscope.replicate_protocol.wire import Instant, Wire

MAX_MIN_INSTANCES = 5
MAX_INSTANCES = 20


class Configuration(Wire):
    """What a release runs on."""

    hardware: str
    min_instances: int
    max_instances: int


class Release(Wire):
    """One state of a deployment; every change makes the next ``number``."""

    number: int
    model: str
    version: str
    created_at: Instant
    created_by: Account | None = None
    configuration: Configuration


class Deployment(Wire):
    """One deployment, as ``GET /v1/deployments/{owner}/{name}`` shows it."""

    owner: str
    name: str
    current_release: Release | None = None


class CreateDeployment(BaseModel):
    """The body of ``POST /v1/deployments``; ``model`` is ``owner/name``."""

    model_config = ConfigDict(extra="ignore")

    name: str
    model: str
    version: str
    hardware: str
    min_instances: int = Field(ge=0, le=MAX_MIN_INSTANCES)
    max_instances: int = Field(ge=0, le=MAX_INSTANCES)


class UpdateDeployment(BaseModel):
    """The body of ``PATCH /v1/deployments/{owner}/{name}``: only what is named is changed."""

    model_config = ConfigDict(extra="ignore")

    version: str | None = None
    hardware: str | None = None
    min_instances: int | None = Field(default=None, ge=0, le=MAX_MIN_INSTANCES)
    max_instances: int | None = Field(default=None, ge=0, le=MAX_INSTANCES)
