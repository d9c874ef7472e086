"""Loads a predictor's file, here, in this process: what is in it runs."""

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from mutoscope.core.errors import ConfigurationError

_DEFAULT_NAMES = ("Predictor", "Runner", "predict", "run")
_NOT_OURS = {"__pycache__", "node_modules", "site-packages"}


def split_reference(reference: str) -> tuple[Path, str | None]:
    """``predict.py:Predictor`` as a path and a name, which may be left out."""
    path, colon, name = reference.rpartition(":")
    return (Path(path), name) if colon and path.endswith(".py") else (Path(reference), None)


def load_predictor(reference: str) -> Any:
    """The class, made into an instance whose ``setup`` has not run, or the function, of ``predict.py:Predictor``.

    Raises:
        ConfigurationError: There is no such file, or no such name in it.
        Exception: Whatever the file raises when it is imported.
    """
    path, name = split_reference(reference)
    if not path.is_file():
        raise ConfigurationError(f"There is no file {path}.")
    if importlib.util.find_spec("cog") is None:
        from mutoscope.runner import cog

        sys.modules["cog"] = cog
    sys.path.insert(0, str(path.resolve().parent))
    sys.dont_write_bytecode = True  # Python would take a file of the same size and second from its cache
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path} is not a Python file.")
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    names = (name,) if name else _DEFAULT_NAMES
    found = next((getattr(module, one) for one in names if hasattr(module, one)), None)
    if found is None:
        raise ConfigurationError(f"{path} has no {' or '.join(names)}.")
    return found() if inspect.isclass(found) else found


def predict_function(predictor: Any) -> Callable[..., Any]:
    """What answers one input: the method ``run`` or ``predict`` that the class itself defines, or the function."""
    if inspect.isfunction(predictor):
        return predictor
    kind = cast("type[object]", type(predictor))
    for name in ("predict", "run"):
        owner = next((one for one in inspect.getmro(kind) if name in vars(one)), object)
        if owner is not object and not owner.__module__.startswith(("cog.", "mutoscope.")):
            return getattr(predictor, name)
    raise ConfigurationError(f"{kind.__name__} has neither predict() nor run().")


def source_digest(reference: str) -> str:
    """What the version of a predictor that is loaded here is made of: its file, and those below it that it imported."""
    path = split_reference(reference)[0].resolve()
    files = {path} | {one for one in _imported() if one.is_relative_to(path.parent) and is_source(one, path.parent)}
    digest = hashlib.sha256()
    for one in sorted(files):
        text = one.read_bytes()
        digest.update(f"{one.relative_to(path.parent)} {len(text)} ".encode() + text)
    return digest.hexdigest()


def is_source(path: Path, directory: Path) -> bool:
    """Whether a path below a predictor's directory is its own, and not of an environment or a cache."""
    return not any(part.startswith(".") or part in _NOT_OURS for part in path.relative_to(directory).parts)


def _imported() -> set[Path]:
    """The files of the modules that are imported in this process."""
    names = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    return {Path(name).resolve() for name in names if isinstance(name, str) and name.endswith(".py")}
