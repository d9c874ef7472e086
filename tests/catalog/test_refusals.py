"""What the provider said no to is remembered for a while, without what the answer came through."""

from datetime import UTC, datetime, timedelta

import pytest

from mutoscope.catalog.refusals import KEEP_FOR, MAX_KEPT, Refusals
from mutoscope.core.errors import MutoscopeError, NotFound, Unavailable

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def refused(refusals: Refusals, key: str, now: datetime = NOW) -> MutoscopeError | None:
    try:
        refusals.say_again(key, now)
    except MutoscopeError as error:
        return error
    return None


def test_no_is_said_again_in_the_same_words_for_a_while() -> None:
    refusals, error = Refusals(), NotFound("There is none.", near="one")
    refusals.keep("a", error, NOW)
    again = refused(refusals, "a", NOW + KEEP_FOR - timedelta(seconds=1))
    assert isinstance(again, NotFound)
    assert (again.detail, again.extra) == (error.detail, error.extra)
    assert refused(refusals, "a", NOW + KEEP_FOR) is None
    assert refused(refusals, "b") is None


def test_what_may_go_well_the_next_time_is_tried() -> None:
    refusals = Refusals()
    refusals.keep("a", Unavailable("It is down."), NOW)
    assert refused(refusals, "a") is None


def test_nothing_of_who_was_refused_stays() -> None:
    refusals = Refusals()
    with pytest.raises(NotFound) as raised:
        raise NotFound("There is none.")
    refusals.keep("a", raised.value, NOW)
    first, second = refused(refusals, "a"), refused(refusals, "a")
    assert first is not second is not raised.value
    depths = [_depth(one) for one in (first, second)]
    assert depths[0] == depths[1] < 10


def test_there_is_an_end_to_what_is_remembered() -> None:
    refusals = Refusals()
    for number in range(MAX_KEPT + 1):
        refusals.keep(str(number), NotFound("There is none."), NOW)
    assert [refused(refusals, str(number)) is None for number in (0, 1, MAX_KEPT)] == [True, False, False]


def _depth(error: BaseException | None) -> int:
    traceback, depth = error.__traceback__ if error else None, 0
    while traceback:
        traceback, depth = traceback.tb_next, depth + 1
    return depth
