"""What Kubernetes writes as text: points in time, and amounts."""

import re
from datetime import UTC, datetime

from .context import now

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
YEAR = 365 * DAY

# Ages below a number of seconds are told in a unit, and, where it is shown, the next smaller one; as kubectl does.
AGES = (
    (2 * MINUTE, 1, "s", None, ""),
    (10 * MINUTE, MINUTE, "m", 1, "s"),
    (3 * HOUR, MINUTE, "m", None, ""),
    (8 * HOUR, HOUR, "h", MINUTE, "m"),
    (2 * DAY, HOUR, "h", None, ""),
    (8 * DAY, DAY, "d", HOUR, "h"),
    (2 * YEAR, DAY, "d", None, ""),
    (8 * YEAR, YEAR, "y", DAY, "d"),
    (float("inf"), YEAR, "y", None, ""),
)

QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE])|([KMGTPE])i|[eE]([+-]?\d{1,3}))?")
TENS = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
TWOS = {unit: 10 * (power + 1) for power, unit in enumerate("KMGTPE")}

# Characters of a quantity at most: more digits than matter.
QUANTITY_MAX = 64


def time(text: str) -> datetime | None:
    """The time that a text says: `2026-11-22T10:00:00Z`. None where it says none."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def age(since: datetime | str) -> str | None:
    """How long ago that is in the running call, as kubectl writes it: `5s`, `3m`, `4h12m`, `12d`. None where the text says no time."""
    then = time(since) if isinstance(since, str) else since
    if then is None:
        return None
    # What is still to come is `0s`: clocks differ.
    seconds = max(int((now() - then).total_seconds()), 0)
    _, unit, letter, smaller, small = next(each for each in AGES if seconds < each[0])
    rest = seconds % unit // smaller if smaller else 0
    return f"{seconds // unit}{letter}" + (f"{rest}{small}" if rest else "")


def quantity(text: str) -> float | None:
    """An amount of processors, bytes or pods: `250m` is 0.25, `1Gi` 1073741824. None where the text says none."""
    match = QUANTITY.fullmatch(text.strip()) if len(text) <= QUANTITY_MAX else None
    if match is None:
        return None
    number, decimal, binary, exponent = match.groups()
    if binary:
        return float(number) * 2.0 ** TWOS[binary]
    # As text, so that 0.1 stays 0.1.
    return float(f"{number}e{TENS[decimal] if decimal else exponent or 0}")
