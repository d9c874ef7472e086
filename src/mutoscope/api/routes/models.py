"""``/v1/models`` and ``/v1/quotes``: what can be run, what it takes, and what it will cost."""

from typing import Annotated

from fastapi import Path

from mutoscope.api import problems
from mutoscope.api.pages import Page, page_of
from mutoscope.api.parts import Parts
from mutoscope.api.routers import new_router
from mutoscope.api.shapes.model import ModelDetail, ModelRead, QuoteCreate, QuoteRead
from mutoscope.api.texts import Name

router = new_router("models")

Alias = Annotated[Name, Path(description="The model's alias.")]


@router.get("/models", summary="List models")
async def page(parts: Parts) -> Page[ModelRead]:
    """Every model that can be run, in the order of the settings. There is only one page."""
    return page_of([ModelRead.of(entry) for entry in parts.catalog.entries()], None)


@router.get("/models/{alias}", responses=problems.responses(404, 429, 502), summary="Look at a model")
async def get(alias: Alias, parts: Parts) -> ModelDetail:
    """A model with its price, its limits, and the schemas of its input and output."""
    entry = parts.catalog.get(alias)
    return ModelDetail.with_schemas(entry, await parts.catalog.schema(alias))


@router.post("/quotes", responses=problems.responses(400, 404, 413, 415, 429, 502), summary="Ask for a price")
async def quote(body: QuoteCreate, parts: Parts) -> QuoteRead:
    """Validate an input and price it. Nothing is held."""
    await parts.catalog.validate(body.model, body.input)
    return QuoteRead.of(body.model, await parts.catalog.quote(body.model, body.input))
