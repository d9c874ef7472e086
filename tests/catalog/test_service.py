"""The catalog: its entries, what may be asked for without one, and inputs that are checked and priced."""

from datetime import timedelta

import pytest

from mutoscope.catalog.schema import InvalidInput
from mutoscope.catalog.service import Catalog, Unlisted
from mutoscope.core.clock import ManualClock
from mutoscope.core.errors import ConfigurationError, NotFound
from mutoscope.core.model_settings import DefaultModelSettings, ModelSettings
from mutoscope.db import Database
from mutoscope.providers.base import CreateRefused, Rate
from mutoscope.providers.budget import Budget, OverBudget, take
from tests.catalog.documents import paint
from tests.catalog.provider import MODELS, PINNED, Provider


def test_entries_are_those_of_the_settings(catalog: Catalog) -> None:
    assert [entry.alias for entry in catalog.entries()] == ["paint", "paint-too", "pinned", "deployed"]
    entry = catalog.get("pinned")
    assert (str(entry.reference), entry.reference.kind, entry.settings) == (PINNED, "version", MODELS["pinned"])


@pytest.mark.parametrize(
    ("asked", "hint"), [("paiint", "Did you mean paint"), ("zzz", "paint, paint-too, pinned, deployed")]
)
async def test_an_unknown_alias_names_its_neighbours(catalog: Catalog, asked: str, hint: str) -> None:
    with pytest.raises(NotFound, match=hint):
        catalog.get(asked)
    with pytest.raises(NotFound):
        await catalog.validate(asked, {})


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_bad_reference_is_named_with_its_alias(
    database: Database, clock: ManualClock, provider: Provider
) -> None:
    bad = ModelSettings.model_validate({"reference": "not a reference", "price": {"per_run": 1}})
    with pytest.raises(ConfigurationError, match=r"models\.wrong\.reference"):
        Catalog(database, clock, {**MODELS, "wrong": bad}, provider.fetch)


async def test_names_that_anybody_can_invent_are_looked_for_within_a_budget(
    database: Database, clock: ManualClock, provider: Provider
) -> None:
    budget = Budget(Rate(per_minute=60, burst=2))
    unlisted = Unlisted(
        DefaultModelSettings.model_validate({"price": {"per_run": 1}}), lambda: take(clock.now(), budget)
    )
    catalog = Catalog(database, clock, MODELS, provider.fetch, unlisted=unlisted)
    provider.documents["nobody/known"] = paint()
    for _ in range(5):
        assert await catalog.schema("nobody/known") == paint()
        with pytest.raises(CreateRefused):
            await catalog.schema("nobody/invented")
    for _ in range(5):
        with pytest.raises(OverBudget) as refused:
            await catalog.schema("nobody/at-all")
        assert refused.value.retry_after_s == pytest.approx(1)
    assert provider.asked == ["nobody/known", "nobody/invented"]
    for alias in MODELS:
        assert await catalog.schema(alias) == paint(), "it has an entry"
    restarted = Catalog(database, clock, MODELS, provider.fetch, unlisted=unlisted)
    assert await restarted.schema("nobody/known") == paint(), "it is in the table"
    clock.advance(timedelta(seconds=1))
    with pytest.raises(CreateRefused):
        await catalog.schema("nobody/at-all")
    await catalog.aclose()
    await restarted.aclose()


async def test_inputs_are_checked_and_priced_by_the_schema(catalog: Catalog) -> None:
    await catalog.validate("paint", {"prompt": "a cat"})
    with pytest.raises(InvalidInput):
        await catalog.validate("paint", {"prompt": 3})
    assert (await catalog.quote("paint", {"prompt": "a cat"})).credits == 6  # the schema's default is two
    assert (await catalog.quote("paint", {"prompt": "a cat", "num_outputs": 4})).credits == 12
