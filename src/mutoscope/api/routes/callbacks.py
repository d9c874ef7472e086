"""``/callbacks/{provider}``: webhooks come in. They are checked, written down, and answered at once."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from mutoscope.api.parts import Parts
from mutoscope.api.texts import Ref
from mutoscope.core.errors import NotFound
from mutoscope.generations import callbacks

router = APIRouter(include_in_schema=False)

Nonce = Annotated[str, Query(min_length=16, max_length=64, pattern=r"^[A-Za-z0-9]+$")]


@router.get("/callbacks/self-test")
async def self_test(nonce: Nonce, parts: Parts) -> dict[str, str]:
    """Prove to ``mutoscope doctor`` that callbacks reach this very service."""
    return {"proof": parts.links.proof(nonce)}


@router.post("/callbacks/{provider}")
async def receive(
    provider: str, request: Request, parts: Parts, ref: Annotated[Ref | None, Query()] = None
) -> Response:
    """Take one webhook."""
    if provider not in parts.machine.providers:
        raise NotFound(f"There is no provider {provider[:64]!r}.")
    body = await request.body()
    await callbacks.receive(parts.machine, provider, ref=ref, headers=request.headers, body=body)
    return Response(status_code=204)
