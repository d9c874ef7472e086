"""Signatures of webhooks, as Replicate makes them: Standard Webhooks 1.0, symmetric (https://www.standardwebhooks.com).

The signed text is ``{webhook-id}.{webhook-timestamp}.{body}``, the key the base64 after ``whsec_``, the method
HMAC-SHA256. The header may hold several signatures, so that a secret can be changed without a gap.
"""

import base64
import binascii
import hashlib
import hmac
import secrets as random
from collections.abc import Mapping, Sequence
from datetime import datetime

from mutoscope.core.errors import ConfigurationError, MutoscopeError
from mutoscope.replicate_protocol.wire import Wire

SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of a secret, not one


class InvalidSignature(MutoscopeError):
    """A webhook whose sender cannot be proved, or that is too old or too new."""

    status, code, title = 401, "invalid_signature", "The webhook's signature is not valid"


class WebhookSecret(Wire):
    """What ``GET /v1/webhooks/default/secret`` answers: the secret that signs an account's webhooks."""

    key: str


def new_webhook_secret() -> str:
    """A fresh secret, ``whsec_`` and the base64 of 32 random bytes."""
    return SECRET_PREFIX + base64.b64encode(random.token_bytes(32)).decode()


def check_secret(secret: str) -> None:
    """Refuse a secret that Replicate would not give, before anything is signed. Raises ``ConfigurationError``."""
    if not secret.startswith(SECRET_PREFIX):
        raise ConfigurationError(f"A webhook secret must be {SECRET_PREFIX!r} followed by base64.")
    _key(secret)


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError("A webhook secret must be 'whsec_' followed by base64.") from error
    if not key:
        raise ConfigurationError("A webhook secret is empty.")
    return key


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of the ``webhook-signature`` header, ``v1,<base64>``; ``timestamp`` is in whole seconds since 1970.

    Raises:
        ConfigurationError: The secret is not ``whsec_`` and base64.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()


def verify(
    secrets: Sequence[str], headers: Mapping[str, str], body: bytes, *, now: datetime, tolerance_s: int = 300
) -> str:
    """Prove that one of ``secrets`` signed ``body`` within ``tolerance_s`` of ``now``, and return its ``webhook-id``.

    Raises:
        InvalidSignature: A header is missing or garbled, the time is out of bounds, or no signature matches.
        ConfigurationError: A secret is not ``whsec_`` and base64.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp, signatures = (_header(lower, f"webhook-{part}") for part in ("id", "timestamp", "signature"))
    if not (timestamp.isascii() and timestamp.isdigit()) or len(timestamp) > 12:
        raise InvalidSignature("The webhook-timestamp header is not a whole number of seconds.")
    if abs(now.timestamp() - int(timestamp)) > tolerance_s:
        raise InvalidSignature(f"The webhook-timestamp header is more than {tolerance_s} s away from our clock.")
    expected = [sign(secret, message_id, int(timestamp), body).encode() for secret in secrets]
    given = [part.encode() for part in signatures.split(" ") if part.startswith("v1,")]
    if not any([hmac.compare_digest(ours, theirs) for ours in expected for theirs in given]):  # noqa: C419 - compare all: constant time
        raise InvalidSignature("No signature in the webhook-signature header matches.")
    return message_id


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if not value:
        raise InvalidSignature(f"The {name} header is missing.")
    return value
