"""What a tool's function may answer: a dataclass, a mapping or a text, and a text beside a structure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")


class Schema:
    """Keywords of JSON Schema for a type: `Annotated[int, Schema(minimum=1, maximum=100)]`."""

    def __init__(self, **keywords: Any) -> None:
        self.keywords = keywords


Count = Annotated[int, Schema(minimum=0)]
"""A whole number that is not negative."""


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list, and the answer of a tool that lists."""

    items: list[T]
    continue_: str | None = None
    remaining: Count | None = None
    warnings: list[str] = field(default_factory=list)
    hint: str | None = None

    def map(self, item: Callable[[T], U]) -> "Page[U]":
        """The same page of something else."""
        return self.with_items([item(each) for each in self.items])

    def with_items(self, items: list[U]) -> "Page[U]":
        """The same page with these on it."""
        return Page(items, self.continue_, self.remaining, self.warnings, self.hint)


@dataclass(frozen=True)
class Told(Generic[T]):
    """An answer in both of MCP's forms: a text for the model, in place of the JSON, and a structure, which the output schema describes.

    A client shows its model one of the two, and which one is not ours to choose: each has to say all that matters.
    """

    text: str
    answer: T
