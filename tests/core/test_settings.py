"""What cannot work is refused when the settings are read, in one line that names the setting."""

from pathlib import Path
from typing import Any

import pytest

from mutoscope.core.errors import ConfigurationError
from mutoscope.core.settings import load_settings

REFUSED: list[tuple[str, Any]] = [
    ("storage_prefix", "../../x"),
    ("storage_prefix", "/results"),
    ("storage_prefix", "results/"),
    ("storage_prefix", "our results"),
    ("storage_prefix", "a/" * 300 + "a"),
]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_what_cannot_work_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(**{name: value})
    assert refused.value.detail.startswith(f"{name}: ")
    assert "\n" not in refused.value.detail


@pytest.mark.parametrize("prefix", ["results", "team-a/results_2", "a.b/c"])
def test_a_prefix_of_storage_names_is_taken(prefix: str) -> None:
    assert load_settings(storage_prefix=prefix).storage_prefix == prefix
