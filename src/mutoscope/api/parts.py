"""How routes reach the running parts."""

from typing import Annotated

from fastapi import Depends, Request

from mutoscope.bootstrap import Runtime


async def _runtime(request: Request) -> Runtime:  # not a plain function: FastAPI would send it to a thread
    runtime: Runtime = request.app.state.runtime
    return runtime


Parts = Annotated[Runtime, Depends(_runtime)]
