"""What `make` is told reaches the command as it was said, and no shell reads it."""

import subprocess
from pathlib import Path

MAKEFILE = Path(__file__).parent.parent / "Makefile"


def test_a_prompt_is_words_and_not_a_program(tmp_path: Path) -> None:
    """With a stand-in for the installed command, which writes down its arguments."""
    (tmp_path / "Makefile").write_bytes(MAKEFILE.read_bytes())
    for name in ("requirements/bootstrap.txt", "requirements/run.txt", "pyproject.toml", ".venv/.uv", ".venv/.run"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()  # in the order in which make wants them
    command = tmp_path / ".venv" / "bin" / "mutoscope"
    command.parent.mkdir()
    command.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > arguments\n')
    command.chmod(0o755)
    prompt = """a `touch ran` "quoted" $(touch ran) $(shell touch ran) it's $HOME; touch ran"""
    subprocess.run(["make", "run", "ONCE=1", f"PROMPT={prompt}"], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "arguments").read_text().splitlines() == ["demo", "--once", "--prompt", prompt]
    assert not (tmp_path / "ran").exists()
    subprocess.run(["make", "run"], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "arguments").read_text().splitlines() == ["demo"]
