import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutoscope.core.errors import InvalidRequest
from mutoscope.replicate_protocol.durations import (
    format_cancel_after,
    parse_cancel_after,
    parse_prefer_wait,
)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("30", 30), ("1m", 60), ("1h30m45s", 5445), ("2h30m", 9000), ("5s", 5)]
)
def test_cancel_after(text: str, seconds: int) -> None:
    assert parse_cancel_after(text) == seconds


@pytest.mark.parametrize("text", ["", "4s", "4.9s", "0", "-5s", "1.5m", "5 minutes", "30s1m", "9999999s"])
def test_cancel_after_refuses_and_says_all_that_it_must_be(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"at least 5 seconds, in whole numbers such as '30s'"):
        parse_cancel_after(text)


@given(st.integers(5, 10**6))
def test_cancel_after_returns(seconds: int) -> None:
    assert parse_cancel_after(format_cancel_after(seconds)) == seconds


def test_cancel_after_is_never_shorter_than_asked_nor_than_the_minimum() -> None:
    assert format_cancel_after(59.2) == "1m"
    assert format_cancel_after(0.1) == "5s"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("wait", 60),
        ("wait=5", 5),
        ("wait=05", 5),
        ("respond-async, wait=7", 7),
        ("wait = 60", 60),
        ("waiting", None),
    ],
)
def test_prefer(text: str | None, seconds: int | None) -> None:
    assert parse_prefer_wait(text) == seconds


@pytest.mark.parametrize("text", ["wait=0", "wait=61", "wait=9999999999", "wait=" + "9" * 5000])
def test_prefer_refuses(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_prefer_wait(text)
