"""The pytest fixture ``replicate_runner``: a local Replicate for the tests of whoever installs Mutoscope.

pytest loads this module in every run, so it imports nothing that costs time; the rest comes with the first use.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mutoscope.runner.testing import ReplicateRunner

_MARKER = (
    "replicate_runner(**options): give this test a runner of its own, with these fields of RunnerConfig, "
    "such as create_limit={'per_minute': 6} or retention_s=2"
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture(scope="session")
def replicate_runner_session(
    tmp_path_factory: pytest.TempPathFactory,
) -> "Generator[ReplicateRunner, None, None]":
    """A runner in a process of its own, for all tests of the session. Use ``replicate_runner``."""
    from mutoscope.runner.testing import running

    with running(tmp_path_factory.mktemp("replicate_runner"), {}) as runner:
        yield runner


@pytest.fixture
def replicate_runner(request: pytest.FixtureRequest) -> "Generator[ReplicateRunner, None, None]":
    """A local Replicate without faults; what earlier tests made may still be there, unless the marker is used."""
    from mutoscope.runner.testing import running

    marker = request.node.get_closest_marker("replicate_runner")
    if marker and marker.kwargs:
        factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        with running(factory.mktemp("replicate_runner"), marker.kwargs) as runner:
            yield runner
        return
    runner: ReplicateRunner = request.getfixturevalue("replicate_runner_session")
    runner.faults()
    yield runner
    runner.faults()
