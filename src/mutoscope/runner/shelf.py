"""Keeps the models, versions and deployments that clients made, each as a JSON document under its name."""

import sqlite3
from datetime import datetime
from typing import Literal, TypeVar

from pydantic import BaseModel

from mutoscope.replicate_protocol.deployments import Configuration
from mutoscope.replicate_protocol.models import Visibility


class KeptModel(BaseModel):
    """A model that a client created; what it can do is in its versions."""

    owner: str
    name: str
    visibility: Visibility
    hardware: str
    created_at: datetime
    description: str | None = None
    readme: str | None = None
    github_url: str | None = None
    paper_url: str | None = None
    license_url: str | None = None
    weights_url: str | None = None
    cover_image_url: str | None = None

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"


class KeptVersion(BaseModel):
    """A version that a training made.

    Attributes:
        id: 64 hexadecimal digits, made of what it was trained from and what came out: the same training, the same id.
        model: The full name of the model it belongs to.
        base: The version that was trained, of a model of this runner.
        weights: The file that the training made, as ``folder/name``.
        created_at: When.
    """

    id: str
    model: str
    base: str
    weights: str
    created_at: datetime


class KeptDeployment(BaseModel):
    """A deployment and its current release."""

    owner: str
    name: str
    number: int
    model: str
    version: str
    created_at: datetime
    configuration: Configuration

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"


Document = TypeVar("Document", bound=BaseModel)


class Shelf:
    """What clients made, in the runner's database. Lists are newest first."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def models(self) -> list[KeptModel]:
        """All created models."""
        return self._all(KeptModel, "SELECT document FROM models ORDER BY seq DESC")

    def model(self, full_name: str) -> KeptModel | None:
        """One created model."""
        return self._one(KeptModel, "SELECT document FROM models WHERE name = ?", full_name)

    def put_model(self, model: KeptModel) -> None:
        """Keep a model, new or changed."""
        self._put("models", model.full_name, model)

    def delete_model(self, full_name: str) -> None:
        """Forget a model."""
        self._db.execute("DELETE FROM models WHERE name = ?", (full_name,))

    def versions(self, model: str) -> list[KeptVersion]:
        """The versions of one model."""
        return self._all(KeptVersion, "SELECT document FROM versions WHERE model = ? ORDER BY seq DESC", model)

    def version(self, version_id: str) -> KeptVersion | None:
        """One version."""
        return self._one(KeptVersion, "SELECT document FROM versions WHERE id = ?", version_id)

    def add_version(self, version: KeptVersion) -> None:
        """Keep a version; one that is there already stays as it is."""
        self._db.execute(
            "INSERT INTO versions (id, model, document) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING",
            (version.id, version.model, version.model_dump_json()),
        )

    def delete_version(self, version_id: str) -> None:
        """Forget a version."""
        self._db.execute("DELETE FROM versions WHERE id = ?", (version_id,))

    def deployments(self) -> list[KeptDeployment]:
        """All created deployments."""
        return self._all(KeptDeployment, "SELECT document FROM deployments ORDER BY seq DESC")

    def deployment(self, full_name: str) -> KeptDeployment | None:
        """One created deployment."""
        return self._one(KeptDeployment, "SELECT document FROM deployments WHERE name = ?", full_name)

    def put_deployment(self, deployment: KeptDeployment) -> None:
        """Keep a deployment, new or changed."""
        self._put("deployments", deployment.full_name, deployment)

    def delete_deployment(self, full_name: str) -> None:
        """Forget a deployment."""
        self._db.execute("DELETE FROM deployments WHERE name = ?", (full_name,))

    def _put(self, table: Literal["models", "deployments"], name: str, document: BaseModel) -> None:
        self._db.execute(
            f"INSERT INTO {table} (name, document) VALUES (?, ?) "  # noqa: S608 - only our own text
            "ON CONFLICT (name) DO UPDATE SET document = excluded.document",
            (name, document.model_dump_json()),
        )

    def _all(self, kind: type[Document], query: str, *values: str) -> list[Document]:
        return [kind.model_validate_json(row[0]) for row in self._db.execute(query, values)]

    def _one(self, kind: type[Document], query: str, *values: str) -> Document | None:
        row = self._db.execute(query, values).fetchone()
        return kind.model_validate_json(row[0]) if row else None
