"""What every engine is to the rest: something that runs until it is told to stop."""

from typing import Protocol


class Engine(Protocol):
    """Moves generations."""

    async def run(self) -> None:
        """Until ``stop``; then what is under way is finished, or left to others."""
        ...

    def stop(self) -> None:
        """Ask it to end; ``run`` returns when it has."""
        ...
