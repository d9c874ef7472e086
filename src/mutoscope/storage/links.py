"""Links that the service signs itself, for stores that cannot: who holds one may read one object until it expires."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from mutoscope.core.errors import ConfigurationError, MutoscopeError
from mutoscope.storage.keys import checked
from mutoscope.storage.sniff import is_shown

_CONTEXT = (
    b"mutoscope link v1"  # so that a signature made for another purpose with the same secret is worth nothing here
)
_STANDING = b"mutoscope standing link v1"
_PROOF = b"mutoscope proof v1\0"
MIN_SECRET_BYTES = 16


class InvalidLink(MutoscopeError):
    """The link was not signed by us, or was changed."""

    status, code, title = 403, "invalid_link", "The link is not valid"


class LinkExpired(MutoscopeError):
    """The link was good, but its time is over; ask for a new one."""

    status, code, title = 403, "link_expired", "The link has expired"


class LinkSigner:
    """Signs links with HMAC-SHA256 over key, expiry and media type.

    Args:
        secret: Signs and verifies.
        base_url: Where the service answers, without ``/files``, for example ``https://media.example.com``.
        old_secrets: Still verify, so that links survive a change of the secret.

    Raises:
        ConfigurationError: A secret is shorter than 16 bytes.
    """

    def __init__(self, secret: bytes, base_url: str, *, old_secrets: Sequence[bytes] = ()) -> None:
        if any(len(one) < MIN_SECRET_BYTES for one in (secret, *old_secrets)):
            raise ConfigurationError(f"A secret for links needs at least {MIN_SECRET_BYTES} bytes.")
        self._secrets = (secret, *old_secrets)
        self._base_url = base_url.rstrip("/")

    def proof(self, nonce: str) -> str:
        """What only somebody with our secret can say to ``nonce``."""
        return hmac.new(self._secrets[0], _PROOF + nonce.encode(), hashlib.sha256).hexdigest()

    def sign(self, key: str, expires_at: datetime, media_type: str) -> str:
        """A URL for ``key`` that is good until ``expires_at`` (whole seconds) and is served as ``media_type``."""
        expires = str(int(expires_at.timestamp()))
        signature = _signature(self._secrets[0], checked(key), expires, media_type)
        query = urlencode({"expires": expires, "type": media_type, "signature": signature})
        return f"{self._base_url}/files/{quote(key)}?{query}"

    def verify(self, key: str, params: Mapping[str, str], now: datetime) -> str:
        """The media type to serve ``key`` as.

        Raises:
            InvalidLink: The signature is missing or does not belong to this key, expiry and type.
            LinkExpired: It does, but ``now`` is not before the expiry.
        """
        expires, media_type, given = (params.get(name, "") for name in ("expires", "type", "signature"))
        matches = [
            hmac.compare_digest(_signature(one, key, expires, media_type), given.encode()) for one in self._secrets
        ]
        if not any(matches):
            raise InvalidLink("This link was not signed by this service, or was changed on its way.")
        if now >= datetime.fromtimestamp(int(expires), UTC):
            raise LinkExpired("This link has expired. Ask for the generation again to get a fresh one.")
        return media_type

    @property
    def base_url(self) -> str:
        """Where the service answers."""
        return self._base_url

    def stand_for(self, name: str) -> str:
        """A signature under which ``name`` may be read for as long as there is something under it."""
        return hmac.new(self._secrets[0], _message(_STANDING, name), hashlib.sha256).hexdigest()

    def verify_standing(self, name: str, given: str) -> None:
        """Raises ``InvalidLink`` unless ``given`` is what ``stand_for`` made for ``name``."""
        made = [hmac.new(one, _message(_STANDING, name), hashlib.sha256).hexdigest() for one in self._secrets]
        if not any([hmac.compare_digest(one.encode(), given.encode()) for one in made]):  # noqa: C419 - compare all
            raise InvalidLink("This link was not signed by this service, or was changed on its way.")


def serving_headers(media_type: str) -> dict[str, str]:
    """The headers to serve a stored file with from our own origin: as what it is, and never as a program."""
    headers = {
        "Content-Type": media_type,
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Cache-Control": "private, max-age=31536000, immutable",
    }
    return headers | ({} if is_shown(media_type) else {"Content-Disposition": "attachment"})


def _signature(secret: bytes, key: str, expires: str, media_type: str) -> bytes:
    return hmac.new(secret, _message(_CONTEXT, key, expires, media_type), hashlib.sha256).hexdigest().encode()


def _message(context: bytes, *parts: str) -> bytes:
    """Each part is preceded by its length, so that no two different links make the same message."""
    encoded = (part.encode() for part in parts)
    return b"".join((context, *(len(part).to_bytes(4, "big") + part for part in encoded)))
