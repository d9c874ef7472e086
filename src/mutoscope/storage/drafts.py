"""How a file comes to a disk for good: written aside, flushed, then given its name, with every folder on the way."""

import errno
import os
import threading
from io import FileIO
from pathlib import Path

from mutoscope.storage.base import ObjectExists

_REMEMBERED = 10_000
_ROOT = Path()


class Folders:
    """The folders below ``root``. A new one lasts only when the folder above it is flushed.

    One that was flushed by this process, and is still there, needs that no more; so those are remembered.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lasting: set[Path] = set()

    def make(self, folder: Path) -> None:
        """Make ``folder``, and those above it that are missing, for good."""
        if _ROOT not in self._lasting or not self._root.exists():
            self._make_root()
        below = folder.relative_to(self._root)
        for part in reversed([below, *below.parents][:-1]):
            if _make_folder(self._root / part) or part not in self._lasting:
                flush_folder((self._root / part).parent)
                self._remember(part)

    def _make_root(self) -> None:
        """Whoever made it, or what is above it, may have died before that was flushed."""
        self._root.mkdir(parents=True, exist_ok=True)
        for above in self._root.absolute().parents:
            if not os.access(above, os.R_OK | os.W_OK):
                break  # what is below was not made by us
            flush_folder(above)
        self._remember(_ROOT)

    def _remember(self, part: Path) -> None:
        if len(self._lasting) >= _REMEMBERED:
            self._lasting.clear()
        self._lasting.add(part)


class Draft:
    """A file being written that no key names yet. Its methods run in threads, one at a time, ``discard`` last."""

    def __init__(self, path: Path, target: Path, folders: Folders) -> None:
        self.published = False
        self._folders = folders
        self._path = path
        self._target = target
        self._lock = threading.Lock()
        self._file: FileIO | None = None
        self._discarded = False

    def write(self, block: bytes) -> None:
        """Append. Raises ``ObjectExists`` at once if the name is taken, before anything more is fetched."""
        with self._lock:
            file, rest = self._opened(), memoryview(block)
            while rest:
                rest = rest[file.write(rest) :]

    def publish(self) -> None:
        """Flush it and give it its name, if nobody has that. Raises ``ObjectExists``."""
        with self._lock:
            os.fsync(self._opened().fileno())
            self._folders.make(self._target.parent)
            try:
                os.link(self._path, self._target, follow_symlinks=False)
            except FileExistsError as exists:
                raise self._exists() from exists
            flush_folder(self._target.parent)
            self._close()
            self.published = True

    def discard(self) -> None:
        """Remove what was written, unless it was published."""
        with self._lock:
            self._discarded = True
            self._close()

    def _opened(self) -> FileIO:
        if self._discarded:
            raise OSError(errno.ECANCELED, "the upload was given up")
        if self._file is None:
            if os.path.lexists(self._target):
                raise self._exists()
            self._folders.make(self._path.parent)
            self._file = FileIO(self._path, "xb")
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._path.unlink(missing_ok=True)

    def _exists(self) -> ObjectExists:
        # Whoever gave it that name may have died, or may be about to, before the name was made to last.
        flush_folder(self._target.parent)
        return ObjectExists(f"There is a file at {self._target.name} already.")


def flush_folder(folder: Path) -> None:
    """Make the names in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: Path) -> bool:
    """Whether it was not there before."""
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True
