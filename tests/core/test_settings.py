"""What cannot work is refused when the settings are read, in one line that names the setting."""

from pathlib import Path
from typing import Any

import pytest

from mutoscope.core.errors import ConfigurationError
from mutoscope.core.settings import load_settings

A_MODEL = {"reference": "mutoscope/painter", "price": {"per_run": 1}}
REFUSED: list[tuple[str, Any]] = [
    ("storage_prefix", "../../x"),
    ("storage_prefix", "/results"),
    ("storage_prefix", "results/"),
    ("storage_prefix", "our results"),
    ("storage_prefix", "a/" * 300 + "a"),
    ("public_url", "app.example.com"),
    ("public_url", "https://"),
    ("public_url", "ftp://app.example.com"),
    ("public_url", "https://app.example.com:port"),
    ("public_url", "https://app.example.com/?a=b"),
    ("storage_public_url", "files"),
    ("log_level", "LOUD"),
    ("replicate_api_token", "r8_t\u00f6ken"),
    ("replicate_api_token", "r8_token\n"),
    ("replicate_api_token", ""),
    ("replicate_old_api_tokens", ["r8_one r8_two"]),
    ("replicate_accounts", {"eu": {"api_tokens": ["\ufeffr8_token"]}}),
    ("replicate_base_url", "api.replicate.com"),
    ("models", {"a b": A_MODEL}),
    ("models", {"a/b": A_MODEL}),
    ("models", {"": A_MODEL}),
]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_what_cannot_work_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(**{name: value})
    assert refused.value.detail.startswith(name)
    assert "\n" not in refused.value.detail


@pytest.mark.parametrize("prefix", ["results", "team-a/results_2", "a.b/c"])
def test_a_prefix_of_storage_names_is_taken(prefix: str) -> None:
    assert load_settings(storage_prefix=prefix).storage_prefix == prefix


def test_names_and_levels_that_mean_one_thing_are_taken() -> None:
    settings = load_settings(models={"Flux-1.1_pro": A_MODEL}, log_level="debug", public_url="http://[::1]:8000/app")
    assert list(settings.models) == ["Flux-1.1_pro"]
    assert (settings.log_level, settings.public_url) == ("DEBUG", "http://[::1]:8000/app")


def test_a_variable_that_is_no_json_is_named_and_no_file_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUTOSCOPE_ENGINE", "x")
    with pytest.raises(ConfigurationError, match='"engine"') as refused:
        load_settings()
    assert "toml" not in refused.value.detail
