"""File inputs that cannot be had."""

import pytest

from mutoscope.runner.models.base import ModelFailed
from mutoscope.runner.models.context import read_input


@pytest.mark.parametrize("host", [f"{'a' * 300}.com", "a..com", ".com"])
def test_a_host_that_cannot_be_one_is_said_to_be_no_host(host: str) -> None:
    with pytest.raises(ModelFailed) as caught:
        read_input(f"https://{host}/x", {}, lambda: None)
    assert caught.value.detail == "The file input could not be fetched: the host of its URL is not valid."
