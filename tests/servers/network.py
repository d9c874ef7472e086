"""Keeps the test process off the network: only this machine may be connected to."""

import ipaddress
import socket
import sys
from typing import Any


class NetworkForbidden(AssertionError):
    """A test tried to reach another machine."""


def forbid_network() -> None:
    """From now on, connecting to or looking up anything but loopback raises ``NetworkForbidden`` in this process.

    An audit hook sees what every Python library does, whatever it has imported and kept; it cannot be removed again.
    """
    sys.addaudithook(_look)


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.sendto"}:
        one, address = arguments[0], arguments[1]
        if one.family in {socket.AF_INET, socket.AF_INET6} and not _is_loopback(address[0]):
            raise NetworkForbidden(f"A test tried to connect to {address}")
    elif event == "socket.getaddrinfo" and arguments[0] is not None and not _is_loopback(arguments[0]):
        raise NetworkForbidden(f"A test tried to look up {arguments[0]!r}")


def _is_loopback(host: str | bytes) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    try:
        return ipaddress.ip_address(name).is_loopback or name in {"0.0.0.0", "::"}  # noqa: S104 - binding, not connecting
    except ValueError:
        return name in {"", "localhost"} or name.endswith(".localhost")
