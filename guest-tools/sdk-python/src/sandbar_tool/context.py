"""Facts of the running call."""

import json
from datetime import UTC, datetime
from typing import Any, TypeVar, overload

from . import values
from .host import User, host

T = TypeVar("T")


@overload
def setting(key: str) -> Any: ...
@overload
def setting(key: str, default: T) -> T: ...
def setting(key: str, default: Any = None) -> Any:
    """The value that the operator has set for an option of this component, which the host has checked against the schema of its settings."""
    text = host().setting(key)
    return default if text is None else json.loads(text)


def settings(of: type[T]) -> T:
    """All options at once, as the dataclass that is their schema."""
    names = [field.json for field in values.fields_of(of)]
    there = {name: json.loads(text) for name in names if (text := host().setting(name)) is not None}
    return values.read(of, there, "the settings of this tool")  # type: ignore[no-any-return]


def now() -> datetime:
    """The time, in UTC. Where gathered files are the cluster, it is theirs: `datetime.now()` is not."""
    return datetime.fromtimestamp(host().now_ms() / 1000, UTC)


def remaining() -> float:
    """Seconds until the host ends this call."""
    return host().remaining_ms() / 1000


def progress(done: float, total: float | None = None, message: str | None = None) -> None:
    """Tells the client how far the call is: `done` out of `total`, in any unit that grows, and a short message for a person."""
    host().progress(done, total, message)


def caller() -> User | None:
    """Who has made the call, where the operator grants it (`caller: true`). None where nobody was authenticated."""
    return host().who_calls()
