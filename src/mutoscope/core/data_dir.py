"""The folder of the settings ``data_dir``: made when it is needed, and named when it cannot be used."""

import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from mutoscope.core.errors import ConfigurationError


@contextmanager
def usable(folder: Path) -> Generator[None]:
    """Make the folder, and say which setting it was when that or the block fails.

    Raises:
        ConfigurationError: With the folder and the reason.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise ConfigurationError(f"MUTOSCOPE_DATA_DIR: {folder} cannot be used: {error.strerror}.") from error


def kept_secret(folder: Path) -> str:
    """The signing secret kept in the folder, made there by whoever needs it first.

    Raises:
        ConfigurationError: The folder cannot be used.
    """
    kept = folder / "secret"
    with usable(folder):
        with suppress(FileExistsError):
            _write_private(kept, secrets.token_hex(32))
        return kept.read_text()


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all, so that two processes starting together agree."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    try:
        draft.write_text(text)
        path.hardlink_to(draft)
    finally:
        draft.unlink()
