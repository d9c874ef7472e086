"""Walk a prediction's output, pure: find the files in JSON of any shape, and put our own references in their place.

Outputs come as a URL, a list of URLs, an object with URLs in it, data URIs, text, numbers, nothing, and mixtures.
"""

from collections.abc import Callable
from typing import Any, cast

from mutoscope.storage.intake import OutputRejected

FILE_KEY = "$file"
"""A stored file is shown inside an output as ``{"$file": number}``."""

MAX_DEPTH = 64


class OutputTooDeep(OutputRejected):
    """The output is not one that can be kept."""


def find_files(output: Any, is_file: Callable[[str], bool]) -> list[str]:
    """Every string that is a file, in the order of reading; the same string twice is one file."""
    found: dict[str, None] = {}

    def visit(text: str) -> str:
        if is_file(text):
            found[text] = None
        return text

    _walk(output, visit, 0)
    return list(found)


def replace_files(output: Any, numbers: dict[str, int]) -> Any:
    """The same output with each file replaced by its reference."""
    return _walk(output, lambda text: {FILE_KEY: numbers[text]} if text in numbers else text, 0)


def show_files(output: Any, show: Callable[[int], Any]) -> Any:
    """The same output with each reference replaced by what ``show`` makes of its number."""
    if isinstance(output, dict):
        fields = cast("dict[str, Any]", output)
        if fields.keys() == {FILE_KEY}:
            return show(fields[FILE_KEY])
        return {name: show_files(value, show) for name, value in fields.items()}
    if isinstance(output, list):
        return [show_files(item, show) for item in cast("list[Any]", output)]
    return output


def is_empty(output: Any) -> bool:
    """Whether there is nothing in it: null, or a list or object without anything."""
    return output is None or output in ([], {})


def count_outputs(output: Any) -> int:
    """How many outputs the price counts: the items of a list, else one."""
    return len(cast("list[Any]", output)) if isinstance(output, list) else int(not is_empty(output))


def _walk(node: Any, visit: Callable[[str], Any], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise OutputTooDeep(f"The output is nested deeper than {MAX_DEPTH}.")
    if isinstance(node, str):
        return visit(node)
    if isinstance(node, list):
        return [_walk(item, visit, depth + 1) for item in cast("list[Any]", node)]
    if isinstance(node, dict):
        return {name: _walk(value, visit, depth + 1) for name, value in cast("dict[str, Any]", node).items()}
    return node
