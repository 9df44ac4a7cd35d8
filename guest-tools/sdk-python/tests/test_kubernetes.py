"""What Kubernetes writes as text."""

from datetime import UTC, datetime, timedelta

import pytest

import sandbar_tool as sandbar
from sandbar_tool.testing import Cluster

NOW = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (605, "10m"), (599, "9m59s"), (3 * 3600 - 1, "179m"), (3 * 3600, "3h"), (4 * 3600 + 720, "4h12m"),
        (47 * 3600, "47h"), (48 * 3600, "2d"), (8 * 86400 - 1, "7d23h"), (8 * 86400, "8d"), (2 * 365 * 86400, "2y"), (3 * 365 * 86400 + 86400, "3y1d"), (9 * 365 * 86400, "9y"),
    ],
)  # fmt: skip
def test_ages_are_those_of_kubectl(cluster: Cluster, seconds: int, words: str) -> None:
    cluster.at(NOW)
    assert sandbar.age(NOW - timedelta(seconds=seconds)) == words
    assert sandbar.age((NOW - timedelta(seconds=seconds)).isoformat()) == words


def test_a_text_that_is_no_time_is_none() -> None:
    assert sandbar.time("2026-11-30T01:00:00.5+01:00") == NOW + timedelta(seconds=0.5)
    assert sandbar.time("soon") is None
    assert sandbar.age("soon") is None


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("250m", 0.25), ("1.5", 1.5), ("1Gi", 2**30), ("129M", 129e6), ("1e3", 1000), ("-1k", -1000), (".5", 0.5), (" 2 ", 2), ("100n", 1e-7), ("1E", 1e18), ("1Ei", 2**60),
        ("", None), ("1.5.2", None), ("m", None), ("1Q", None), ("1ki", None), ("1K", None), ("9" * 65, None), ("NaN", None),
    ],
)  # fmt: skip
def test_quantities_are_numbers(text: str, amount: float | None) -> None:
    assert sandbar.quantity(text) == amount
