"""Models and versions as clients see them, and what clients may do to those that are theirs."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from mutoscope.core.errors import Conflict, Forbidden, InvalidRequest, NotFound
from mutoscope.replicate_protocol import models as wire
from mutoscope.replicate_protocol.references import ModelReference, parse_reference
from mutoscope.replicate_protocol.versions import Version
from mutoscope.runner.account import OWNER, check_hardware
from mutoscope.runner.catalog import Catalog
from mutoscope.runner.models.base import Model
from mutoscope.runner.shelf import KeptModel, KeptVersion, Shelf

COG_VERSION = "0.23.1"
_MISSING = "The requested resource could not be found."
_MAX_MODELS = 1000


class Library:
    """The models of one runner: those it offers, which nobody may change, and those that clients created.

    Args:
        catalog: What can be run.
        shelf: What clients made.
        run_counts: How often each model has been run.
    """

    def __init__(self, catalog: Catalog, shelf: Shelf, run_counts: Counter[str]) -> None:
        self._catalog = catalog
        self._shelf = shelf
        self._run_counts = run_counts

    def listed(self, base_url: str) -> list[wire.Model]:
        """All models: those that clients created first, the newest of them before the others."""
        kept = [self._created(one, base_url) for one in self._shelf.models()]
        return [*kept, *(self._offered(one, base_url) for one in self._catalog.models)]

    def get(self, name: str, base_url: str) -> wire.Model:
        """One model. Raises ``NotFound``."""
        if model := self._catalog.offered(name):
            return self._offered(model, base_url)
        return self._created(self._kept(name), base_url)

    def readme(self, name: str) -> str:
        """The README of a model, in Markdown. Raises ``NotFound``, also if it has none."""
        model = self._catalog.offered(name)
        text = (model.readme or f"# {name}\n\n{model.description}\n") if model else self._kept(name).readme
        if not text:
            raise NotFound("README not found")
        return text

    def versions(self, name: str) -> list[Version]:
        """The versions of a model, newest first. Raises ``NotFound``."""
        if model := self._catalog.offered(name):
            return [_version(model)]
        return [self._trained(one) for one in self._shelf.versions(self._kept(name).full_name)]

    def version(self, name: str, version_id: str) -> Version:
        """One version. Raises ``NotFound``."""
        found = next((one for one in self.versions(name) if one.id == version_id), None)
        if found is None:
            raise NotFound(_MISSING)
        return found

    def create(self, body: wire.CreateModel, base_url: str) -> wire.Model:
        """Create a model without versions; a training makes some.

        Raises:
            Forbidden: It is to belong to somebody else.
            Conflict: There is one of this name.
            InvalidRequest: The name or the hardware is not valid, or there are too many.
        """
        if body.owner != OWNER:
            raise Forbidden(f"You can only create models for {OWNER!r}, the account of this runner.")
        check_hardware(body.hardware)
        kept = KeptModel(**body.model_dump(), created_at=datetime.now(UTC))
        if parse_reference(kept.full_name) != ModelReference("official", body.owner, body.name):
            raise InvalidRequest(f"- name: {body.name[:100]!r} is not a valid name.")
        if self._shelf.model(kept.full_name) or self._catalog.offered(kept.full_name):
            raise Conflict(f"A model with the name {kept.full_name!r} already exists.")
        if len(self._shelf.models()) >= _MAX_MODELS:
            raise InvalidRequest(f"There is a limit of {_MAX_MODELS} models per account.")
        self._shelf.put_model(kept)
        return self._created(kept, base_url)

    def update(self, name: str, body: wire.UpdateModel, base_url: str) -> wire.Model:
        """Change what the body names. Raises ``NotFound`` or ``Forbidden``."""
        changed = self._own(name).model_copy(update=body.model_dump(exclude_unset=True))
        self._shelf.put_model(changed)
        return self._created(changed, base_url)

    def delete(self, name: str) -> None:
        """Delete a model that is private and has no versions. Raises ``NotFound``, ``Forbidden`` or ``Conflict``."""
        kept = self.private(name)
        if self._shelf.versions(kept.full_name):
            raise Conflict("You can only delete models that have no versions; delete its versions first.")
        self._shelf.delete_model(kept.full_name)

    def private(self, name: str) -> KeptModel:
        """A model that its owner may delete parts of. Raises ``NotFound`` or ``Forbidden``."""
        kept = self._own(name)
        if kept.visibility != "private":
            raise Forbidden("You can only delete private models and their versions.")
        return kept

    def _own(self, name: str) -> KeptModel:
        if self._catalog.offered(name):
            raise Forbidden(f"{name} comes with this runner: you can only change models that you created.")
        return self._kept(name)

    def _kept(self, name: str) -> KeptModel:
        if (kept := self._shelf.model(name)) is None:
            raise NotFound(_MISSING)
        return kept

    def _created(self, kept: KeptModel, base_url: str) -> wire.Model:
        newest = self._shelf.versions(kept.full_name)[:1]
        shown = kept.model_dump(exclude={"readme", "weights_url", "hardware", "created_at"})
        return wire.Model(
            **shown,
            url=f"{base_url}/v1/models/{kept.full_name}",
            run_count=self._run_counts[kept.full_name],
            latest_version=self._trained(newest[0]) if newest else None,
        )

    def _offered(self, model: Model, base_url: str) -> wire.Model:
        return wire.Model(
            url=f"{base_url}/v1/models/{model.full_name}",
            owner=model.owner,
            name=model.name,
            description=model.description,
            is_official=True,
            run_count=self._run_counts[model.full_name],
            latest_version=_version(model),
        )

    def _trained(self, kept: KeptVersion) -> Version:
        found = self._catalog.version(kept.id)
        schema: dict[str, Any] | None = found.offer.model.openapi_schema if found else None
        return Version(id=kept.id, created_at=kept.created_at, cog_version=COG_VERSION, openapi_schema=schema)


def _version(model: Model) -> Version:
    return Version(
        id=model.version, created_at=model.created_at, cog_version=COG_VERSION, openapi_schema=model.openapi_schema
    )
