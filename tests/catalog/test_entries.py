"""Which entry a name of Replicate's stands for, and what becomes of a model that has none."""

import pytest

from mutoscope.catalog.entries import Entries, NotPriced
from mutoscope.core.errors import NotFound
from mutoscope.core.model_settings import DefaultModelSettings, ModelSettings
from mutoscope.replicate_protocol.references import parse_reference

ONE, TWO, NEW = "1" * 64, "2" * 64, "3" * 64
MODELS = {
    alias: ModelSettings.model_validate({"reference": reference, "price": {"per_run": 5}})
    for alias, reference in {
        "paint": "owner/paint",
        "pinned": f"owner/film:{ONE}",
        "bare": TWO,
        "fast": "deployments/owner/paint",
    }.items()
}
DEFAULT = DefaultModelSettings.model_validate({"price": {"per_run": 1}, "run_timeout_s": 60})
BARE = DEFAULT.model_copy(update={"bare_versions": True})


@pytest.mark.parametrize(
    ("reference", "alias"),
    [
        ("owner/paint", "paint"),
        (f"owner/film:{ONE}", "pinned"),
        (ONE, "pinned"),
        ("owner/film", "pinned"),
        (TWO, "bare"),
        (f"somebody/else:{TWO}", "bare"),
        ("deployments/owner/paint", "fast"),
    ],
)
@pytest.mark.parametrize("default", [None, DEFAULT])
def test_an_entry_is_found_by_every_name_of_what_it_prices(
    reference: str, alias: str, default: DefaultModelSettings | None
) -> None:
    entries = Entries(MODELS, default)
    assert entries.resolve(parse_reference(reference)).alias == alias
    if default:
        assert entries.get(reference).alias == alias, "not to be had for the default price under its other name"


@pytest.mark.parametrize("reference", ["owner/new", f"owner/new:{NEW}", "deployments/owner/film", NEW])
def test_anything_else_needs_a_default_price(reference: str) -> None:
    target = parse_reference(reference)
    with pytest.raises(NotPriced, match=r"mutoscope\.toml"):
        Entries(MODELS).resolve(target)
    with pytest.raises(NotFound):
        Entries(MODELS).get(reference)
    entry = Entries(MODELS, BARE).resolve(target)
    assert (entry.alias, entry.settings.price.per_run, entry.settings.run_timeout_s) == (reference, 1, 60)
    assert entry == Entries(MODELS, BARE).get(reference)


@pytest.mark.parametrize(
    ("reference", "own"),
    [
        (f"owner/paint:{NEW}", "owner/paint"),
        (f"owner/film:{NEW}", f"owner/film:{ONE}"),
        ("Owner/Paint", "owner/paint"),
        (f"owner/Film:{NEW}", f"owner/film:{ONE}"),
        ("deployments/Owner/paint", "deployments/owner/paint"),
        ("deployments/owner/PAINT", "deployments/owner/paint"),
    ],
)
@pytest.mark.parametrize("default", [DEFAULT, BARE])
def test_another_version_of_a_model_with_a_price_is_not_to_be_had_for_the_default_price(
    reference: str, own: str, default: DefaultModelSettings
) -> None:
    entries = Entries(MODELS, default)
    with pytest.raises(NotPriced, match=f"Ask for {own}"):
        entries.resolve(parse_reference(reference))
    with pytest.raises(NotPriced):
        entries.get(reference)


def test_a_version_alone_may_be_of_a_model_with_a_price() -> None:
    """It is refused beside such models, where the settings do not say that it does not matter."""
    with pytest.raises(NotPriced, match="bare_versions = true"):
        Entries(MODELS, DEFAULT).resolve(parse_reference(NEW))
    tune = ModelSettings(reference=f"owner/film:{ONE}", kind="training", price=DEFAULT.price)
    assert Entries({"tune": tune}, DEFAULT).resolve(parse_reference(NEW)).alias == NEW


def test_a_reference_that_no_column_holds_is_not_run_at_the_default_price_either() -> None:
    long = parse_reference(f"{'o' * 100}/{'n' * 100}:{ONE}")
    with pytest.raises(NotPriced):
        Entries(MODELS, DEFAULT).resolve(long)


def test_what_is_no_reference_is_not_found() -> None:
    with pytest.raises(NotFound, match="paint"):
        Entries(MODELS, DEFAULT).get("pain")


@pytest.mark.parametrize("default", [None, DEFAULT])
def test_a_training_and_a_prediction_of_one_version_have_prices_of_their_own(
    default: DefaultModelSettings | None,
) -> None:
    reference = parse_reference(f"owner/film:{ONE}")
    tune = ModelSettings.model_validate({"reference": str(reference), "kind": "training", "price": {"per_run": 50}})
    entries = Entries({"tune": tune, **MODELS}, default)
    assert entries.resolve(reference, "training").alias == "tune"
    for name in (str(reference), ONE, "owner/film"):
        assert entries.resolve(parse_reference(name)).alias == "pinned"


def test_the_default_price_is_not_for_trainings() -> None:
    with pytest.raises(NotPriced, match='kind = "training"'):
        Entries(MODELS, DEFAULT).resolve(parse_reference(f"owner/film:{ONE}"), "training")
    only = Entries(
        {"tune": ModelSettings(reference=f"owner/film:{ONE}", kind="training", price=DEFAULT.price)}, DEFAULT
    )
    assert only.get(f"owner/film:{ONE}").settings.kind == "prediction", "nor that of a training for predictions"
