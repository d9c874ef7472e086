"""Which URLs may be called. In production only https, and only addresses of the public internet.

A URL comes from a customer, so it may point into our own network: at a database's console, or at the address where
clouds hand out credentials. A name is judged by the addresses it has when the connection is made, and the connection
goes to just those (``posting.py``), because a name may have other addresses a moment later.
"""

import ipaddress

import httpx

from mutoscope.core.errors import InvalidRequest

MAX_URL_CHARS = 2048
_PRIVATE_DOMAINS = frozenset({"localhost", "local", "internal", "lan", "home", "corp", "intranet"})
# Not for everybody either, though Python 3.11 says so: protocol assignments (a cloud's metadata among them) and relays.
_SPECIAL = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("192.88.99.0/24"))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def checked_url(text: str, *, public_only: bool) -> httpx.URL:
    """The parsed URL, if it may be called as far as can be told without asking for its addresses.

    Raises:
        InvalidRequest: It may not; says why.
    """
    if not 0 < len(text) <= MAX_URL_CHARS or any(one <= " " or one == "\x7f" for one in text):
        raise InvalidRequest(f"A webhook URL has 1 to {MAX_URL_CHARS} characters, and no spaces.")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as wrong:
        raise InvalidRequest(f"{text[:200]!r} is not a URL.") from wrong
    schemes = ("https",) if public_only else ("https", "http")
    if url.scheme not in schemes or not url.host:
        raise InvalidRequest(f"A webhook needs an {' or '.join(schemes)} URL, not {text[:200]!r}.")
    if not _can_be_called(url):
        raise InvalidRequest(f"{text[:200]!r} has a host or a port that cannot be.")
    if url.userinfo:
        raise InvalidRequest("A webhook URL has no user name or password in it.")
    if public_only and not _may_be_public(url.host):
        raise InvalidRequest(f"{url.host} is not an address of the public internet.")
    return url


def _can_be_called(url: httpx.URL) -> bool:
    """Whether the host is an address or a name that the DNS can hold (RFC 1035), and the port is one."""
    labels = url.raw_host.rstrip(b".").split(b".")
    in_names = len(url.raw_host) <= 253 and all(0 < len(label) <= 63 for label in labels)
    return in_names and (url.port is None or 0 < url.port < 65536)


def is_public(text: str) -> bool:
    """Whether an IP address, as text, is one that anybody on the internet could call."""
    return _is_public(ipaddress.ip_address(text.partition("%")[0]))


def _may_be_public(host: str) -> bool:
    try:
        return is_public(host)
    except ValueError:
        # No top-level domain begins with a digit; what does is an address in one of its odder spellings.
        name, dot, top = host.rstrip(".").rpartition(".")
        return bool(name and dot) and not top[:1].isdigit() and top not in _PRIVATE_DOMAINS


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(address.packed[-4:])
        if inner is not None:
            return _is_public(inner)
    if any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved
