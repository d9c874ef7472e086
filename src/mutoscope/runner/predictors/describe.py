"""Describes a predictor without running its file in the server: a process of its own loads it and says what it takes.

``python -m mutoscope.runner.predictors.describe predict.py:Predictor`` prints the description as JSON.
"""

import asyncio
import inspect
import json
import os
import signal
import subprocess
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from mutoscope.core.errors import ConfigurationError, MutoscopeError
from mutoscope.runner.models.base import Model
from mutoscope.runner.predictors.load import load_predictor, predict_function, source_digest, split_reference
from mutoscope.runner.predictors.signature import schema
from mutoscope.runner.validation import InputCheck

_TIMEOUT_S = 120
_REFUSED = 1
"""The exit status of a process that has said on standard error what is wrong with the file."""


class _Description(BaseModel):
    description: str
    openapi_schema: dict[str, Any]
    source: str


def describe(name: str, reference: str) -> Model:
    """The model that a file defines, under this ``owner/name``.

    Raises:
        ConfigurationError: It cannot be loaded, or its signature is not one of Cog's; the text says what is wrong.
    """
    command = _command(reference)
    try:
        done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603 - ourselves
    except subprocess.TimeoutExpired as error:
        raise _late(reference) from error
    return _model(name, reference, done)


async def describe_meanwhile(name: str, reference: str) -> Model:
    """As ``describe``, while others go on; whoever cancels it ends the import, and all that it started."""
    command, pipe = _command(reference), asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, start_new_session=True)
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            out, err = await process.communicate()
    except TimeoutError as error:
        raise _late(reference) from error
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return _model(name, reference, subprocess.CompletedProcess(command, process.returncode or 0, out, err))


def _command(reference: str) -> list[str]:
    path, _ = split_reference(reference)
    if not path.is_file():
        raise ConfigurationError(f"There is no file {path}.")
    return [sys.executable, "-m", __spec__.name, reference]


def _late(reference: str) -> ConfigurationError:
    return ConfigurationError(f"{reference} was not imported within {_TIMEOUT_S} s.")


def _model(name: str, reference: str, done: subprocess.CompletedProcess[bytes]) -> Model:
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode == _REFUSED and said:
        raise ConfigurationError(f"{reference} cannot be used: {said}")
    try:
        found = _Description.model_validate_json(done.stdout)
    except ValidationError as error:
        ended = f"{reference} cannot be used: it ends the process that imports it. {said}"
        raise ConfigurationError(ended.strip()) from error
    owner, _, short = name.partition("/")
    path = split_reference(reference)[0].resolve()
    return Model(
        owner=owner,
        name=short,
        description=found.description,
        openapi_schema=found.openapi_schema,
        predictor=f"{path}:{reference.rpartition(':')[2]}" if ":" in reference else str(path),
        source=found.source,
    )


def default_name(reference: str) -> str:
    """The name of a model that was given none: its file's, or for a ``predict.py`` its folder's."""
    path = split_reference(reference)[0].resolve()
    return f"local/{path.parent.name if path.stem in {'predict', 'run'} else path.stem}"


def main() -> int:
    """Describe the predictor that the command line names."""
    reference, out = sys.argv[1], os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the file prints must not get into the description
    try:
        predictor = load_predictor(reference)
        text = inspect.getdoc(predictor) or f"{Path(reference).name}, a model of your own."
        document = schema(predict_function(predictor))
        InputCheck(document)
        said = _Description(
            description=text.partition("\n\n")[0], openapi_schema=document, source=source_digest(reference)
        )
        out.write(json.dumps(said.model_dump()))
    except MutoscopeError as error:
        sys.stderr.write(error.detail)
        return _REFUSED
    except (Exception, SystemExit):  # noqa: BLE001 - the edge of a process that runs somebody's file
        sys.stderr.write(traceback.format_exc(limit=-2))
        return _REFUSED
    out.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
