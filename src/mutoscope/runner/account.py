"""The one account of a runner, and the one kind of hardware it has."""

from mutoscope.core.errors import InvalidRequest
from mutoscope.replicate_protocol.account import Account, Hardware

OWNER = "local"
ACCOUNT = Account(type="user", username=OWNER, name="Local runner")
HARDWARE = (Hardware(name="CPU", sku="cpu"),)


def check_hardware(sku: str) -> None:
    """Raises ``InvalidRequest`` if there is no such hardware."""
    if sku not in {one.sku for one in HARDWARE}:
        raise InvalidRequest(f"- hardware: {sku[:100]!r} is not available; this runner has {HARDWARE[0].sku!r}.")
