"""Does the public URL lead to this very service, the way a provider's webhook would go? If not, which step fails?

A provider follows no redirects and accepts no certificate that it cannot check, so neither do we. That it is really us
is proved by an answer that only somebody with our secret can give.
"""

import hmac
import socket
import ssl
from urllib.parse import urlsplit

import httpx

from mutoscope.adapters import open_links
from mutoscope.cli.results import Result
from mutoscope.core.ids import new_secret
from mutoscope.core.settings import Settings

TIMEOUT_S = 10
SELF_TEST = "/callbacks/self-test"
NAME = "public URL"


async def check(settings: Settings, url: str) -> Result:
    """Ask ourselves, from outside."""
    parts = urlsplit(url)
    nonce, local = new_secret(), parts.hostname in {"localhost", "127.0.0.1", "::1"}
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=not local, follow_redirects=False) as http:
            answer = await http.get(f"{url.rstrip('/')}{SELF_TEST}", params={"nonce": nonce})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return _not_reached(url, error)
    if answer.is_redirect:
        to = answer.headers.get("location", "nowhere")[:200]
        todo = "Providers do not follow redirects: set MUTOSCOPE_PUBLIC_URL to the address that answers itself."
        return Result(NAME, "failed", f"{url} redirects to {to}", todo)
    if not _is_ours(settings, answer, nonce):
        return _somebody_else(url, answer)
    if parts.scheme == "http" and not local:
        return Result(NAME, "failed", f"{url} is not https", "Replicate calls https only: put TLS before the service.")
    return Result(NAME, "ok", f"{url} leads to this service, without redirects")


def _somebody_else(url: str, answer: httpx.Response) -> Result:
    callbacks = SELF_TEST.rpartition("/")[0]
    if answer.status_code == 404:
        todo = f"Let the proxy pass {callbacks} on, or correct the path in MUTOSCOPE_PUBLIC_URL."
        return Result(NAME, "failed", f"{url} is answered by something else: it knows no {SELF_TEST} (404)", todo)
    todo = f"Let it pass {callbacks} on to `mutoscope serve` with the same MUTOSCOPE_SECRET."
    return Result(NAME, "failed", f"{url} is answered by something else ({answer.status_code})", todo)


def _not_reached(url: str, error: Exception) -> Result:
    if lost := _cause(error, socket.gaierror):
        todo = "Check the name for typing errors, and that its DNS record exists."
        return Result(NAME, "failed", f"{url}: the host has no address: {lost}"[:300], todo)
    if bad := _cause(error, ssl.SSLCertVerificationError):
        reason = getattr(bad, "verify_message", None) or str(bad)
        todo = "Providers check certificates: use one of a public authority for this very host, with its whole chain."
        return Result(NAME, "failed", f"{url}: the certificate is not valid: {reason}"[:300], todo)
    if tls := _cause(error, ssl.SSLError):
        todo = "Check the port: `mutoscope serve` itself speaks no TLS, the proxy before it does, most often on 443."
        return Result(NAME, "failed", f"{url}: the port speaks no TLS that can be used: {tls}"[:300], todo)
    if isinstance(error, httpx.TimeoutException):
        todo = "Check the firewall and the proxy before the service."
        return Result(NAME, "failed", f"{url} does not answer within {TIMEOUT_S} s", todo)
    todo = "Start `mutoscope serve`, and check that the address leads to it."
    return Result(NAME, "advice", f"{url} does not answer: {type(error).__name__} {error}".strip()[:300], todo)


def _cause(error: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


def _is_ours(settings: Settings, answer: httpx.Response, nonce: str) -> bool:
    try:
        given = answer.json()["proof"]
    except (ValueError, KeyError, TypeError):
        return False
    return isinstance(given, str) and hmac.compare_digest(given, open_links(settings, "http://x").proof(nonce))
