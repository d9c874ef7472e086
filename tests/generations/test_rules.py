"""The pure rules: states, failures, outputs, pacing."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutoscope.core.json_limits import keepable
from mutoscope.generations import failures, outputs, pacing
from mutoscope.generations.states import NEXT, Phase, Status, may_follow, status_in
from mutoscope.providers.base import Prediction


def prediction(status: str, error: str | None = None) -> Prediction:
    return Prediction(id="p", status=status, error=error, created_at=datetime.now(UTC))


def cause(status: str, error: str | None = None, *, by_user: bool = False, late: bool = False) -> failures.Failure:
    return failures.of_prediction(prediction(status, error), canceled_by_user=by_user, past_deadline=late)


def test_every_phase_leads_to_done() -> None:
    reached = {Phase.DONE}
    for _ in Phase:
        reached |= {phase for phase in Phase if NEXT[phase] & reached}
    assert reached == set(Phase)


def test_money_is_settled_before_a_generation_is_done() -> None:
    assert [phase for phase in Phase if Phase.DONE in NEXT[phase]] == [Phase.SETTLE]


def test_nothing_follows_done_and_staying_is_allowed() -> None:
    assert not NEXT[Phase.DONE]
    assert may_follow(Phase.DONE, Phase.DONE)
    assert not may_follow(Phase.DONE, Phase.SETTLE)


def test_the_outcome_shows_only_when_done() -> None:
    assert status_in(Phase.SETTLE, "failed") == Status.PROCESSING
    assert status_in(Phase.DONE, "failed") == Status.FAILED
    with pytest.raises(ValueError, match="outcome"):
        status_in(Phase.DONE, None)


@pytest.mark.parametrize(
    ("error", "code", "try_again"),
    [
        ("Prediction interrupted; please retry (code: PA)", "provider_preempted", True),
        ("Something broke (E6716) while starting", "provider_start_timeout", True),
        ("E1000: unknown", "provider_failed", True),
        ("CUDA out of memory (E1001)", "provider_out_of_memory", False),
        ("NSFW content detected", "content_refused", False),
        ("list index out of range", "provider_failed", False),
        ("E10001 is another code", "provider_failed", False),
        (None, "provider_failed", False),
    ],
)
def test_causes_of_failure(error: str | None, code: str, try_again: bool) -> None:
    found = cause("failed", error)
    assert (found.code, found.try_again) == (code, try_again)
    assert found.detail


def test_who_canceled_decides() -> None:
    assert cause("canceled", by_user=True).code == "canceled_by_user"
    assert cause("aborted", late=True).code == "run_deadline"
    assert cause("canceled").code == "provider_canceled"
    assert cause("aborted").code == "provider_aborted"
    assert cause("failed", "boom", by_user=True).code == "provider_failed"
    assert cause("a status of next year").code == "provider_failed"


URL = "https://files.example/{}"


@pytest.mark.parametrize(
    ("output", "files", "count"),
    [
        (URL.format(1), 1, 1),
        ([URL.format(1), URL.format(2), URL.format(1)], 2, 3),
        ({"image": URL.format(1), "deep": [{"mask": URL.format(2)}], "seed": 7}, 2, 1),
        ("just text", 0, 1),
        (42, 0, 1),
        (0, 0, 1),
        (None, 0, 0),
        ([], 0, 0),
    ],
)
def test_files_are_found_in_any_shape(output: Any, files: int, count: int) -> None:
    found = outputs.find_files(output, lambda text: text.startswith("https://files.example/"))
    assert len(found) == files
    assert outputs.count_outputs(output) == count
    numbers = {source: number for number, source in enumerate(found)}
    kept = outputs.replace_files(output, numbers)
    assert outputs.show_files(kept, lambda number: found[number]) == output
    assert "https://files.example" not in str(kept)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_outputs_without_files_stay_as_they_are(output: Any) -> None:
    assert outputs.replace_files(output, {}) == output


def test_an_output_nested_without_end_is_refused() -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    with pytest.raises(outputs.OutputTooDeep):
        outputs.find_files(deep, lambda _: False)


@given(st.floats(0, 1e6), st.none() | st.floats(0, 1e5), st.booleans())
def test_polls_are_never_too_soon_nor_never(elapsed: float, expected: float | None, webhook: bool) -> None:
    wait = pacing.next_poll_s(elapsed, expected, webhook=webhook)
    assert pacing.MIN_POLL_S <= wait <= max(pacing.MAX_POLL_S, 60, 2 * (expected or 0), pacing.WEBHOOK_POLL_S)


def test_polling_waits_for_the_usual_end_and_then_follows() -> None:
    assert pacing.next_poll_s(0, 8.0, webhook=False) == 8.0
    assert pacing.next_poll_s(8.0, 8.0, webhook=False) == pytest.approx(0.8)
    assert pacing.next_poll_s(0, 8.0, webhook=True) == 16.0


def test_durations_are_learnt() -> None:
    pace = pacing.Pace()
    assert pace.expected_s("m") is None
    for _ in range(30):
        pace.learn("m", 4.0)
    assert pace.expected_s("m") == pytest.approx(4.0)
    assert pace.wait_s("m", 0, now_s=1000, webhook=False) == pytest.approx(4.0)


def test_ten_thousand_polls_stay_below_the_providers_limit() -> None:
    pace = pacing.Pace(polls_per_minute=2400)
    looks = sorted(1000 + pace.wait_s("m", 0, now_s=1000, webhook=False) for _ in range(10_000))
    busiest = max(sum(start <= look < start + 60 for look in looks) for start in range(1000, 1300, 10))
    assert busiest <= 2400 + 40


def test_the_net_below_webhooks_is_wide_until_one_is_missed() -> None:
    pace = pacing.Pace(polls_per_minute=2400, net_polls_per_minute=240)

    def last_of_240(now_s: float) -> float:
        return max(pace.wait_s("m", 60, now_s=now_s, webhook=True) for _ in range(240))

    assert last_of_240(1000) == pytest.approx(60, abs=0.5)
    pace.missed(now_s=2000)
    assert last_of_240(2000) == pytest.approx(15), "as for polling: 6 seconds for 240, and never sooner than is useful"
    later_s = 2000 + pacing.DISTRUST_S
    assert last_of_240(later_s) == pytest.approx(60, abs=0.5)


@given(st.integers(0, 1000))
def test_backoff_stays_within_its_cap(failed: int) -> None:
    assert 0.25 <= pacing.backoff_s(failed) <= 60


@pytest.mark.parametrize(
    ("logs", "percent"),
    [
        (None, None),
        ("nothing to see", None),
        (" 40%|████      | 4/10 [00:01<00:02,  4.1it/s]", 40),
        ("10%|█  | 1/10\r 20%|██ | 2/10\r100%|██████| 10/10", 100),
        ("  0%|          | 0/50 [00:00<?, ?it/s]\n  4%|▍         | 2/50 [00:00<00:04]\nsaving", 4),
        ("12%|█| 1/8\nDownloading: 50%|█████ | 1/2 [00:01]", 12),
        ("33.3%|███ | 1/3", None),
        ("7%|| 1/3", None),
        ("7 %|█| 1/3", None),
        ("7% |█| 1/3", 7),
        ("120%|█| 6/5", 100),
        ("40%|████ 4/10", None),
        ("the battery is at 50% | charging", None),
    ],
)
def test_progress_is_read_from_logs(logs: str | None, percent: int | None) -> None:
    assert pacing.percent_done(logs) == percent


def test_what_a_model_says_is_made_fit_to_keep() -> None:
    said = {"a\x00b": ["\ud800", "fine \N{SNOWMAN}", float("nan"), 1.5, 7, None, True]}
    assert keepable(said) == {"a\N{REPLACEMENT CHARACTER}b": ["?", "fine \N{SNOWMAN}", None, 1.5, 7, None, True]}
