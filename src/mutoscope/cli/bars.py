"""A progress bar that follows a generation."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from mutoscope.client import Generation


class Bar:
    """One bar for one generation. Where there is no terminal, nothing is drawn."""

    def __init__(self, console: Console, name: str) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._name = name
        self._task = self._progress.add_task(f"{name}: queued", total=100)

    def show(self, generation: Generation) -> None:
        """Draw how far it is."""
        percent = generation.progress.percent
        self._progress.update(self._task, completed=percent or 0, description=f"{self._name}: {generation.status}")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
