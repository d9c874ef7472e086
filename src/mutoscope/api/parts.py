"""How routes reach the running parts."""

from typing import Annotated

from fastapi import Depends, Request

from mutoscope.bootstrap import Runtime


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


Parts = Annotated[Runtime, Depends(_runtime)]
