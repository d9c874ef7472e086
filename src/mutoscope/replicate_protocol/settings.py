"""What the settings say in Replicate's own forms, held against the protocol before anything is started with it."""

from collections.abc import Iterator

from mutoscope.core.errors import ConfigurationError, MutoscopeError
from mutoscope.core.settings import Settings
from mutoscope.replicate_protocol.references import parse_reference
from mutoscope.replicate_protocol.webhooks import sign


def check_settings(settings: Settings) -> None:
    """Refuse a webhook secret that can sign nothing, and references to models that are none.

    Raises:
        ConfigurationError: With each setting that is wrong, and what it should be.
    """
    if faults := list(_faults(settings)):
        raise ConfigurationError("; ".join(faults))


def _faults(settings: Settings) -> Iterator[str]:
    if settings.replicate_webhook_secret is not None:
        try:
            sign(settings.replicate_webhook_secret.get_secret_value(), "settings", 0, b"")
        except ConfigurationError as error:
            yield f"replicate_webhook_secret: {error.detail} Copy it again from the provider's settings."
    for alias, model in settings.models.items():
        try:
            parse_reference(model.reference)
        except MutoscopeError as error:
            yield f"models.{alias}.reference: {error.detail}"
