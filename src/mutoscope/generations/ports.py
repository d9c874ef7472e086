"""What the generations room asks of the engines: to be told that there is work, and that something has ended."""

from typing import Protocol


class Bell(Protocol):
    """Rung after a commit. A lost ring loses nothing: due rows are also swept."""

    def ring(self) -> None:
        """There is due work, or a place has become free."""
        ...

    def changed(self, generation_id: str) -> None:
        """A generation's public state has changed; somebody may be waiting for it."""
        ...


class SilentBell:
    """The fake: nobody listens, everything is found by sweeping."""

    def ring(self) -> None:
        """Do nothing."""

    def changed(self, generation_id: str) -> None:
        """Do nothing."""
