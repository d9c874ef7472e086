"""Trainings: runs whose output is a new version of a model that a client created."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from mutoscope.core.errors import InvalidRequest, NotFound
from mutoscope.replicate_protocol.references import ModelReference
from mutoscope.replicate_protocol.trainings import CreateTraining
from mutoscope.runner.catalog import Catalog, Runnable
from mutoscope.runner.execution.inline import Executor
from mutoscope.runner.files import Files
from mutoscope.runner.models.base import FILE_SCHEME
from mutoscope.runner.problems import UnknownVersion
from mutoscope.runner.records import Record
from mutoscope.runner.shelf import KeptVersion, Shelf


@dataclass(frozen=True, slots=True)
class Train:
    """One request for a training, understood but not yet accepted."""

    reference: ModelReference
    body: CreateTraining


class Trainings:
    """Decides what may be trained, and makes versions of what was."""

    def __init__(self, catalog: Catalog, shelf: Shelf, files: Files) -> None:
        self._catalog = catalog
        self._shelf = shelf
        self._files = files

    def resolve(self, wanted: Train) -> tuple[Runnable, Executor]:
        """What trains, and what runs it.

        Raises:
            NotFound: There is no such version of such a model.
            UnknownVersion: It cannot be trained.
            InvalidRequest: The destination is not a model that a client created.
        """
        try:
            found = self._catalog.resolve(wanted.reference)
        except UnknownVersion as error:
            raise NotFound("The requested resource could not be found.") from error
        if found.offer.trainer is None or found.weights:
            raise UnknownVersion(f"{wanted.reference} cannot be trained.")
        if self._shelf.model(wanted.body.destination) is None:
            raise InvalidRequest(
                f"- destination: {wanted.body.destination[:200]!r} is not a model of yours; create it first.",
            )
        return found, found.offer.trainer

    def conclude(self, record: Record) -> KeptVersion | None:
        """Turn what a training made into a version, and say so in the record; one that cannot be is a failure."""
        destination, made = record.destination or "", record.output
        if self._shelf.model(destination) is None:
            record.status, record.output, record.error = "failed", None, f"{destination} has been deleted meanwhile."
            return None
        weights = str(made).removeprefix(FILE_SCHEME)
        try:
            version_id = self._version_id(record, weights)
        except (OSError, NotFound):
            record.status, record.output, record.error = "failed", None, "The training gave no file of weights."
            return None
        version = KeptVersion(
            id=version_id,
            model=destination,
            base=record.runs,
            weights=weights,
            created_at=record.completed_at or datetime.now(UTC),
        )
        record.output = {"version": f"{destination}:{version.id}", "weights": made}
        return version

    def _version_id(self, record: Record, weights: str) -> str:
        folder, _, name = weights.partition("/")
        digest = hashlib.sha256(self._files.output(folder, name)[0].read_bytes()).hexdigest()
        return hashlib.sha256(json.dumps([record.destination, record.runs, digest]).encode()).hexdigest()
