"""Files on disk: what models made, under names that cannot be guessed, and what clients uploaded."""

import mimetypes
import os
import re
import secrets
import shutil
from pathlib import Path

from mutoscope.core.errors import NotFound
from mutoscope.runner.faults import Faults

mimetypes.add_type("image/webp", ".webp")
_FOLDER = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_NAME_BYTES = 255


class Files:
    """The two directories of files of one runner."""

    def __init__(self, state_dir: Path) -> None:
        self._outputs = state_dir / "outputs"
        self._uploads = state_dir / "uploads"
        for directory in (self._outputs, self._uploads):
            directory.mkdir(parents=True, exist_ok=True)
        self._faults: dict[str, Faults] = {}
        self._failed_once: set[str] = set()

    @staticmethod
    def new_folder() -> str:
        """A name for one run's files, of 192 random bits."""
        return secrets.token_urlsafe(24)

    def path(self, link: str) -> str:
        """Where a file is that was made by a run, as ``folder/name``."""
        return str(self._outputs / link)

    def directory(self, folder: str) -> Path:
        """Where one run's files go."""
        return self._outputs / folder

    def output(self, folder: str, name: str) -> tuple[Path, str]:
        """An output file's path and media type. Raises ``NotFound``."""
        path = self._outputs / folder / name
        if not (_FOLDER.fullmatch(folder) and _is_name(name) and path.is_file()):
            raise NotFound("The requested resource could not be found.")
        return path, mimetypes.guess_type(name)[0] or "application/octet-stream"

    def remove_outputs(self, folder: str) -> None:
        """Delete one run's files."""
        shutil.rmtree(self._outputs / folder, ignore_errors=True)
        self._faults.pop(folder, None)

    def upload(self, upload_id: str) -> Path:
        """Where an upload is or will be."""
        return self._uploads / upload_id

    def new_upload(self) -> Path:
        """Where an upload is written while it comes in; never two of the same name."""
        return self._uploads / f"{secrets.token_hex(16)}.part"

    def set_faults(self, folder: str, faults: Faults) -> None:
        """Remember what is to go wrong when one run's files are read."""
        if any(name.startswith("file_") for name in faults.model_fields_set):
            self._faults[folder] = faults

    def faults(self, folder: str) -> Faults:
        """What is to go wrong when one run's files are read."""
        return self._faults.get(folder, Faults())

    def fails_now(self, folder: str, name: str) -> bool:
        """Whether this read of a file is the one that ``file_500_once`` spoils."""
        key = f"{folder}/{name}"
        if not self.faults(folder).file_500_once or key in self._failed_once:
            return False
        self._failed_once.add(key)
        return True


def _is_name(text: str) -> bool:
    """Whether a file could have this name; a longer one is an error of the system, not only missing."""
    return Path(text).name == text and len(os.fsencode(text)) <= _MAX_NAME_BYTES
