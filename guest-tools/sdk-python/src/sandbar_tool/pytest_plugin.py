"""The fixture `cluster` for pytest."""

from collections.abc import Iterator

import pytest

from .testing import Cluster


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A cluster without objects, which answers the functions of sandbar_tool as long as the test runs."""
    with Cluster().answering() as cluster:
        yield cluster
