"""Which addresses files are fetched from: those of a list, so that no output can point us into our own network."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from mutoscope.core.errors import ConfigurationError
from mutoscope.storage.sources import SourceRefused

# Stricter than RFC 2397, which would take "data: …" in a text for a file.
DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+[^,\s]*,")


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class _Pattern:
    host: str
    port: int | None
    subdomains: bool

    @classmethod
    def parse(cls, text: str) -> "_Pattern":
        try:
            url = httpx.URL(f"https://{text.removeprefix('*.')}")
        except httpx.InvalidURL as wrong:
            raise ConfigurationError(f"Not a host that can be allowed: {text!r}. {wrong}") from wrong
        pattern = cls(url.host, url.port, subdomains=text.startswith("*."))
        if not url.host or "*" in url.host or url.userinfo or url.raw_path != b"/":
            raise ConfigurationError(f"Not a host that can be allowed: {text!r}. Use host, *.domain or host:port.")
        return pattern

    def allows(self, url: httpx.URL) -> bool:
        same = url.host.endswith(f".{self.host}") if self.subdomains else url.host == self.host
        return same and url.port == self.port


class HostList:
    """The addresses that may be fetched from.

    Args:
        allowed: ``host`` and ``*.domain`` (any depth below, not the domain itself), both on the standard port only, or
            ``host:port``. Plain ``http`` is only spoken to this machine, and only where that is listed by its name.

    Raises:
        ConfigurationError: An entry is none of these.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        self._patterns = [_Pattern.parse(text) for text in allowed]

    def check(self, text: str | httpx.URL) -> httpx.URL:
        """The parsed URL, if it may be fetched. Raises ``SourceRefused``."""
        try:
            url = httpx.URL(text)
        except (httpx.InvalidURL, TypeError) as wrong:
            raise SourceRefused(f"Not a URL: {str(text)[:200]!r}") from wrong
        if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.host)):
            raise SourceRefused(
                f"Files are fetched over https only, not {url.scheme or 'without a scheme'}: {_shown(url)}"
            )
        if url.userinfo:
            raise SourceRefused(f"A URL with a user name in it is not fetched: {_shown(url)}")
        if not any(pattern.allows(url) for pattern in self._patterns):
            raise SourceRefused(f"The host of {_shown(url)} is not one that files are fetched from.")
        return url

    def names_file(self, text: str) -> bool:
        """Whether a string of an output is a file: a data URI, or a URL that may be fetched. Other links are text."""
        if DATA_URI.match(text):
            return True
        if not text.startswith(("https://", "http://")):
            return False
        try:
            self.check(text)
        except SourceRefused:
            return False
        return True


def _shown(url: httpx.URL) -> str:
    """A URL as it may stand in a log: without its user and its query, which may hold a signature."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))[:200]
