"""Deployments: one for each offered model, which nobody may change, and those that clients created."""

from datetime import UTC, datetime

from mutoscope.core.errors import Conflict, Forbidden, InvalidRequest, NotFound
from mutoscope.replicate_protocol.deployments import (
    Configuration,
    CreateDeployment,
    Deployment,
    Release,
    UpdateDeployment,
)
from mutoscope.replicate_protocol.references import ModelReference, parse_reference
from mutoscope.runner.account import ACCOUNT, OWNER, check_hardware
from mutoscope.runner.catalog import Catalog
from mutoscope.runner.models.base import Model
from mutoscope.runner.shelf import KeptDeployment, Shelf


class Deployments:
    """The deployments of one runner."""

    def __init__(self, catalog: Catalog, shelf: Shelf) -> None:
        self._catalog = catalog
        self._shelf = shelf

    def listed(self) -> list[Deployment]:
        """All: the newest created first, then those of the models."""
        kept = [_created(one) for one in self._shelf.deployments()]
        return [*kept, *(_offered(one) for one in self._catalog.models)]

    def get(self, name: str) -> Deployment:
        """One deployment by ``owner/name``. Raises ``NotFound``."""
        if model := self._catalog.offered(name):
            return _offered(model)
        return _created(self._kept(name))

    def create(self, body: CreateDeployment) -> Deployment:
        """Make a deployment of a version.

        Raises:
            Conflict: There is one of this name.
            InvalidRequest: The name, the version, the hardware or the numbers are not valid.
        """
        name = f"{OWNER}/{body.name}"
        if parse_reference(name) != ModelReference("official", OWNER, body.name):
            raise InvalidRequest(f"- name: {body.name[:100]!r} is not a valid name.")
        if self._shelf.deployment(name) or self._catalog.offered(name):
            raise Conflict(f"A deployment with the name {name!r} already exists.")
        kept = KeptDeployment(
            owner=OWNER,
            name=body.name,
            number=1,
            model=body.model,
            version=body.version,
            created_at=datetime.now(UTC),
            configuration=Configuration.model_validate(body.model_dump(include=set(Configuration.model_fields))),
        )
        return self._keep(kept)

    def update(self, name: str, body: UpdateDeployment) -> Deployment:
        """Make the next release, with what the body names changed. Raises as ``create`` and ``get`` do."""
        kept = self._own(name)
        changes = body.model_dump(exclude_none=True)
        version = changes.pop("version", kept.version)
        configuration = kept.configuration.model_copy(update=changes)
        released = {"number": kept.number + 1, "version": version, "configuration": configuration}
        return self._keep(kept.model_copy(update={**released, "created_at": datetime.now(UTC)}))

    def delete(self, name: str) -> None:
        """Forget a deployment. Raises ``NotFound`` or ``Forbidden``."""
        self._shelf.delete_deployment(self._own(name).full_name)

    def using(self, version: str) -> list[str]:
        """The names of the deployments that run a version."""
        return [one.full_name for one in self._shelf.deployments() if one.version == version]

    def _keep(self, kept: KeptDeployment) -> Deployment:
        check_hardware(kept.configuration.hardware)
        found = self._catalog.version(kept.version)
        if found is None or found.name != kept.model:
            raise InvalidRequest(f"- version: {kept.version[:100]!r} is not a version of {kept.model[:200]!r}.")
        if kept.configuration.min_instances > kept.configuration.max_instances:
            raise InvalidRequest("- min_instances: it is larger than max_instances.")
        self._shelf.put_deployment(kept)
        return _created(kept)

    def _own(self, name: str) -> KeptDeployment:
        if self._catalog.offered(name):
            raise Forbidden(f"The deployment {name} comes with this runner: create one of your own to change it.")
        return self._kept(name)

    def _kept(self, name: str) -> KeptDeployment:
        if (kept := self._shelf.deployment(name)) is None:
            raise NotFound("The requested resource could not be found.")
        return kept


def _created(kept: KeptDeployment) -> Deployment:
    fields = kept.model_dump(include={"number", "model", "version", "created_at"})
    release = Release(**fields, created_by=ACCOUNT, configuration=kept.configuration)
    return Deployment(owner=kept.owner, name=kept.name, current_release=release)


def _offered(model: Model) -> Deployment:
    release = Release(
        number=1,
        model=model.full_name,
        version=model.version,
        created_at=model.created_at,
        created_by=ACCOUNT,
        configuration=Configuration(hardware="cpu", min_instances=0, max_instances=1),
    )
    return Deployment(owner=model.owner, name=model.name, current_release=release)
