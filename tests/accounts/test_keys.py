"""The form of an API key."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutoscope.accounts.keys import digest, is_same, key_id_of, make_key


def test_a_key_says_its_scope_and_names_its_row() -> None:
    operator, account = make_key("operator"), make_key("account")
    assert re.fullmatch(r"mk_op_[0-9a-z]{26}_[0-9A-Za-z]{39}", operator.token)
    assert re.fullmatch(r"mk_ac_[0-9a-z]{26}_[0-9A-Za-z]{39}", account.token)
    assert key_id_of(operator.token) == operator.key_id
    assert operator.token.startswith(operator.hint)
    assert len(operator.token) - len(operator.hint) > 32


def test_only_the_digest_is_needed_to_know_a_key_again() -> None:
    key, other = make_key("account"), make_key("account")
    assert key.token not in key.token_sha256
    assert key.token_sha256 == digest(key.token)
    assert is_same(key.token, key.token_sha256)
    assert not is_same(other.token, key.token_sha256)


@given(place=st.integers(0, 71), character=st.sampled_from("0123456789abcdefXYZ_-"))
def test_a_typo_is_refused_without_asking_anybody(place: int, character: str) -> None:
    token = make_key("account").token
    typed = token[:place] + character + token[place + 1 :]
    assert (key_id_of(typed) is None) == (typed != token)


@pytest.mark.parametrize("text", ["", "mk_op_", "Bearer x", "mk_op_" + "0" * 26 + "_" + "a" * 39, "é" * 72, "r8_abc"])
def test_other_text_is_no_key(text: str) -> None:
    assert key_id_of(text) is None


def test_swapped_neighbours_are_refused() -> None:
    token = make_key("operator").token
    swapped = [token[:n] + token[n + 1] + token[n] + token[n + 2 :] for n in range(len(token) - 1)]
    accepted = Counter(key_id_of(one) is not None for one in swapped if one != token)
    assert accepted[True] == 0
    assert accepted[False] > 30
