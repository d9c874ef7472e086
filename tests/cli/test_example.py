"""The settings file that people copy."""

import re
from pathlib import Path

from mutoscope.core.settings import load_settings
from mutoscope.replicate_protocol.references import parse_reference

EXAMPLE = Path(__file__).parents[2] / "mutoscope.example.toml"


def test_the_example_can_be_read() -> None:
    settings = load_settings(EXAMPLE)
    assert list(settings.models) == ["flux", "upscale"]
    assert all(parse_reference(model.reference) for model in settings.models.values())


def test_the_models_that_are_commented_out_can_be_read_too(tmp_path: Path) -> None:
    copied = tmp_path / "mutoscope.toml"
    copied.write_text(
        re.sub(r"^# (?=\[|\w+ = [^\"]|reference|credit_type|charge)", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    )
    assert list(load_settings(copied).models) == ["flux", "upscale", "film", "painter"]
