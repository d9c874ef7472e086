"""The demo's settings: SQLite and local disk in one folder, unless the environment names Replicate or a bucket."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mutoscope.cli.demo.child import TOKEN, RunnerChild
from mutoscope.core.settings import Settings, load_settings

LINK_S = 24 * 3600

# Prices are the demo's own. The painter is a program, not AI, and says so.
LOCAL_MODELS: Mapping[str, Any] = {
    "painter": {
        "reference": "mutoscope/painter",
        "description": "Pictures from prompts, by procedure (not AI).",
        "price": {"per_output": 2, "max_outputs": 4},
    },
    "upscale": {
        "reference": "mutoscope/upscale",
        "description": "Enlarges pictures with Real-ESRGAN, on the CPU.",
        "price": {"per_run": 3},
    },
}
REPLICATE_MODELS: Mapping[str, Any] = {
    "painter": {
        "reference": "black-forest-labs/flux-schnell",
        "description": "Pictures from prompts.",
        "price": {"per_output": 2, "max_outputs": 4},
    },
    "upscale": {
        "reference": "nightmareai/real-esrgan:f121d640bd286e1fdc67f9799164c1d5be36ff74576ee11c803ae5b665dd46aa",
        "description": "Enlarges pictures with Real-ESRGAN.",
        "price": {"per_run": 3},
    },
}


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo plays.

    Attributes:
        directory: Where everything of it is kept.
        config: The settings file that was named, if any.
        local: Whether the runner stands in for Replicate, because there is no token.
    """

    directory: Path
    config: Path | None
    local: bool

    def settings(self, url: str, runner: RunnerChild | None) -> Settings:
        """The settings of a service at ``url``. Models of the settings file go before those of the demo."""
        given = load_settings(self.config)
        own = LOCAL_MODELS if self.local else REPLICATE_MODELS
        values: dict[str, Any] = {
            "environment": "development",
            "data_dir": self.directory,
            "database_url": f"sqlite:///{self.directory / 'mutoscope.db'}",
            "log_level": "WARNING",
            "link_s": LINK_S,
            "models": {**own, **({} if self.local else given.models)},
        }
        if runner:
            values |= {
                "replicate_base_url": runner.url,
                "replicate_api_token": TOKEN,
                "replicate_webhook_secret": runner.webhook_secret,
                "public_url": url,
            }
        return load_settings(self.config, **values)


def set_stage(config: Path | None, directory: Path) -> Stage:
    """Look at the settings and make the folder. Raises ``ConfigurationError``."""
    directory.mkdir(parents=True, exist_ok=True)
    return Stage(directory.absolute(), config, local=load_settings(config).replicate_api_token is None)
