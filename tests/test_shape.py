"""The house rules that no linter knows: small modules, each saying what it is for, and nothing that swallows errors."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(p for p in (ROOT / "src").rglob("*.py") if "migrations/versions" not in p.as_posix())
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 50


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_a_module_is_small_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_MODULE_LINES
    assert ast.get_docstring(ast.parse(text)), "the module's first lines must say what it is for"


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_functions_are_small(path: Path) -> None:
    for function in _functions(path):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        assert length <= MAX_FUNCTION_LINES, f"{function.name} has {length} lines"


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_no_handler_swallows_everything(path: Path) -> None:
    """A broad handler must log or raise: an error that nobody sees is money that nobody finds."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler) and (node.type is None or ast.unparse(node.type) in BROAD):
            handled = {ast.unparse(call.func).split(".")[-1] for call in ast.walk(node) if isinstance(call, ast.Call)}
            raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
            assert raises or handled & {"exception", "error", "warning", "log", "write"}, f"line {node.lineno}"


BROAD = {"Exception", "BaseException"}


def test_the_environment_is_read_in_one_place() -> None:
    readers = {_name(path) for path in SOURCES if "os.environ" in path.read_text() or "os.getenv" in path.read_text()}
    assert readers <= {"src/mutoscope/core/settings.py"}
