"""What the operator of a service says of its money."""

from pathlib import Path

from tests.cli.shell import Shell


async def audited(folder: Path) -> None:
    """Run ``mutoscope audit`` where a service keeps its database and files; fails if it finds anything wrong."""
    env = {"DATABASE_URL": f"sqlite:///{folder / 'mutoscope.db'}", "MUTOSCOPE_DATA_DIR": str(folder)}
    checks = (await Shell(folder, env).ok("audit", "--json")).json
    assert "stored_files" in {one["check"] for one in checks}
