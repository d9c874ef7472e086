from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from mutoscope.core.errors import ConfigurationError
from mutoscope.replicate_protocol.webhooks import InvalidSignature, new_webhook_secret, sign, verify

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BODY = '{"id":"p1","input":{"prompt":"naïve ☂"}}'.encode()


def headers(secret: str, *, at: datetime = NOW, body: bytes = BODY) -> dict[str, str]:
    timestamp = int(at.timestamp())
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, "msg_1", timestamp, body),
    }


def test_another_library_accepts_what_we_sign() -> None:
    secret = new_webhook_secret()
    assert Webhook(secret).verify(BODY, headers(secret, at=datetime.now(UTC)))["id"] == "p1"


def test_we_accept_what_another_library_signs() -> None:
    secret = new_webhook_secret()
    signature = Webhook(secret).sign("msg_2", NOW, BODY.decode())
    signed = {"webhook-id": "msg_2", "webhook-timestamp": str(int(NOW.timestamp())), "webhook-signature": signature}
    assert verify([secret], signed, BODY, now=NOW) == "msg_2"


def test_header_names_in_any_case_several_signatures_and_several_secrets() -> None:
    old, new = new_webhook_secret(), new_webhook_secret()
    signed = headers(new)
    signed["webhook-signature"] = "v1a,xxxx v1,AAAA " + signed["webhook-signature"]
    assert verify([old, new], {name.title(): value for name, value in signed.items()}, BODY, now=NOW) == "msg_1"


def test_a_changed_body_or_id_or_a_foreign_secret_is_refused() -> None:
    secret = new_webhook_secret()
    with pytest.raises(InvalidSignature):
        verify([secret], headers(secret), BODY + b" ", now=NOW)
    with pytest.raises(InvalidSignature):
        verify([secret], {**headers(secret), "webhook-id": "msg_2"}, BODY, now=NOW)
    with pytest.raises(InvalidSignature):
        verify([new_webhook_secret()], headers(secret), BODY, now=NOW)
    with pytest.raises(InvalidSignature):
        verify([], headers(secret), BODY, now=NOW)


@pytest.mark.parametrize("offset_s", [-301, 301])
def test_too_old_or_too_new_is_refused(offset_s: int) -> None:
    secret = new_webhook_secret()
    with pytest.raises(InvalidSignature, match="300 s"):
        verify([secret], headers(secret, at=NOW + timedelta(seconds=offset_s)), BODY, now=NOW)
    assert verify([secret], headers(secret, at=NOW + timedelta(seconds=offset_s)), BODY, now=NOW, tolerance_s=400)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", [None, "", "garbled ü", "-1", "9" * 400])
def test_a_missing_or_garbled_header_is_refused(name: str, value: str | None) -> None:
    secret = new_webhook_secret()
    signed = headers(secret)
    if value is None:
        del signed[name]
    else:
        signed[name] = value
    with pytest.raises(InvalidSignature):
        verify([secret], signed, BODY, now=NOW)


def test_an_unusable_secret_is_our_fault_not_the_senders() -> None:
    for secret in ("whsec_", "whsec_???"):
        with pytest.raises(ConfigurationError):
            verify([secret], headers(new_webhook_secret()), BODY, now=NOW)
