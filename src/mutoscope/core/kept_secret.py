"""A secret that is made once and kept in a file, for development."""

import secrets
from contextlib import suppress
from pathlib import Path


def kept_secret(path: Path) -> str:
    """The secret in the file at ``path``; made if it is not there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        _write_private(path, secrets.token_hex(32))
    return path.read_text()


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all, so that two processes starting together agree."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    try:
        draft.write_text(text)
        path.hardlink_to(draft)
    finally:
        draft.unlink()
