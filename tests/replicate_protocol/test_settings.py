"""Settings in Replicate's own forms are refused by name when they cannot work."""

import pytest

from mutoscope.core.errors import ConfigurationError
from mutoscope.core.settings import Settings
from mutoscope.replicate_protocol.settings import check_settings
from mutoscope.replicate_protocol.webhooks import new_webhook_secret


def _settings(secret: str, reference: str) -> Settings:
    models = {"one": {"reference": reference, "price": {"per_run": 1}}}
    return Settings.model_validate({"replicate_webhook_secret": secret, "models": models})


def test_what_replicate_would_take_is_taken() -> None:
    check_settings(_settings(new_webhook_secret(), "owner/name"))


@pytest.mark.parametrize("secret", ["whsec_", "whsec_not base64", "secret!"])
def test_a_secret_that_can_sign_nothing_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^replicate_webhook_secret: ") as refused:
        check_settings(_settings(secret, "owner/name"))
    assert "not base64" not in refused.value.detail


def test_every_fault_is_said_at_once() -> None:
    with pytest.raises(ConfigurationError, match=r"^replicate_webhook_secret: .*; models\.one\.reference: 'a' is not"):
        check_settings(_settings("?", "a"))
