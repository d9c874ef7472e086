"""Deletes versions together with all that they have made."""

import sqlite3
from dataclasses import dataclass

from mutoscope.core.errors import Conflict
from mutoscope.runner.database import transaction
from mutoscope.runner.deployments import Deployments
from mutoscope.runner.files import Files
from mutoscope.runner.library import Library
from mutoscope.runner.shelf import Shelf
from mutoscope.runner.store import Store


@dataclass(frozen=True, slots=True)
class VersionDeletion:
    """The parts of a runner that know of a version."""

    database: sqlite3.Connection
    library: Library
    deployments: Deployments
    shelf: Shelf
    store: Store
    files: Files

    def delete(self, name: str, version_id: str) -> None:
        """Delete a version and all its predictions.

        Raises:
            NotFound: There is no such version.
            Forbidden: The model is not private, or comes with the runner.
            Conflict: Something still uses it.
        """
        self.library.private(name)
        self.library.version(name, version_id)
        if using := self.deployments.using(version_id):
            raise Conflict(f"The version has an associated deployment: {', '.join(using)}.")
        records = self.store.of_version(version_id)
        if any(not record.terminal for record in records):
            raise Conflict("The version is running a prediction; cancel it first.")
        with transaction(self.database):
            self.shelf.delete_version(version_id)
            for record in records:
                self.store.delete(record)
        for record in records:
            self.files.remove_outputs(record.folder)
