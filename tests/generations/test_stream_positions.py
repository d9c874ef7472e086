"""Where a reader of a stream is: the ids of events, and which outputs are text."""

from typing import Any

import pytest

from mutoscope.core.errors import InvalidRequest
from mutoscope.generations.streams.positions import Position, parse_position, text_of


@pytest.mark.parametrize("given", ["1", "1-", "a-b", "1-2-3", "-1-2", "1-" + "9" * 10, "1 - 2"])
def test_an_id_that_is_none_of_ours_is_refused(given: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_position(given)


def test_an_id_names_a_place() -> None:
    assert parse_position(str(Position(3, 14))) == Position(3, 14)
    assert parse_position(None) == parse_position("") == Position()


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("text", "text"),
        (["a", "b"], "ab"),
        ([], ""),
        ([1], None),
        ({"a": "b"}, None),
        (None, None),
        (7, None),
        ("a\r\nb\rc\n", "a\nb\nc\n"),
        (["a\r\n", "b\r", "c"], "a\nb\nc"),
        (["a\r", "\nb"], "a\n\nb"),
    ],
)
def test_which_outputs_are_text(given: Any, wanted: str | None) -> None:
    assert text_of(given) == wanted
