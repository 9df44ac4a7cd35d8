"""Schemas of types, and values of those types."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, Literal

import pytest

from sandbar_tool import Component, Count, Page, Schema, ToolError, values


class Kind(Enum):
    WARNING = "Warning"
    NORMAL = "Normal"


@dataclass
class Inner:
    """An inner
    one."""

    word: str | None = None
    #: Behind a comment,
    #: on two lines.
    size: int = 1  # Not for the model.


@dataclass
class Outer:
    """Goes."""

    name: str
    kind: Annotated[Kind | None, "The closer one."] = None
    inner: list[Inner] = field(default_factory=list)
    level: Literal["a", "b"] = "a"
    """On the line
    below."""
    labels: dict[str, str] = field(default_factory=dict)
    at: datetime | None = None
    more: dict[str, object] = field(default_factory=dict)
    share: Annotated[float, Schema(maximum=1)] = 0.5  #: Of the whole.


INNER = {
    "description": "An inner one.",
    "type": "object",
    "properties": {
        "word": {"type": "string"},
        "size": {"type": "integer", "description": "Behind a comment, on two lines.", "default": 1},
    },
}


def tool(component: Component) -> dict[str, Any]:
    (only,) = component.manifest()["tools"]
    return only  # type: ignore[no-any-return]


def test_optional_arguments_are_those_that_may_be_absent() -> None:
    component = Component()

    @component.tool(description="Tests.")
    def run(arguments: Outer) -> dict[str, int]:
        return {}

    assert tool(component)["inputSchema"] == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string"},
            "kind": {"type": "string", "enum": ["Warning", "Normal"], "description": "The closer one."},
            "inner": {"type": "array", "items": INNER},
            "level": {"type": "string", "enum": ["a", "b"], "description": "On the line below.", "default": "a"},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "at": {"type": "string", "format": "date-time"},
            "more": {"type": "object", "additionalProperties": {}},
            "share": {"type": "number", "maximum": 1, "description": "Of the whole.", "default": 0.5},
        },
        "required": ["name"],
    }
    assert tool(component)["outputSchema"] == {"type": "object", "additionalProperties": {"type": "integer"}}


def test_an_answer_always_has_what_is_not_empty_by_default() -> None:
    @dataclass
    class Answer:
        count: Count
        share: float = 0.0
        owner: str | None = None
        newest: str | None = field(default_factory=lambda: "none")

    component = Component()

    def run() -> Page[Answer]:
        raise NotImplementedError

    run.__annotations__["return"] = Page[Answer]
    component.tool(description="Tests.")(run)
    schema = tool(component)["outputSchema"]
    assert schema["required"] == ["items"]
    assert schema["properties"]["items"]["items"] == {
        "type": "object",
        "properties": {
            "count": {"type": "integer", "minimum": 0},
            "share": {"type": "number"},
            "owner": {"type": "string"},
            "newest": {"type": ["string", "null"]},
        },
        "required": ["count", "share", "newest"],
    }
    assert values.write(Page([Answer(0)])) == {"items": [{"count": 0, "share": 0.0, "newest": "none"}]}


def test_parameters_are_arguments_with_their_comments() -> None:
    component = Component()

    @component.tool(title="Run")
    def run(
        # For people.
        name: str,
        #: The cursor.
        continue_: str | None = None,
        limit: Annotated[int, "At most."] = 10,
    ) -> str:
        """Says
        it.

        And more."""
        return f"{name} {continue_} {limit}"

    assert tool(component)["description"] == "Says it.\n\nAnd more."
    assert tool(component)["inputSchema"]["properties"] == {
        "name": {"type": "string"},
        "continue": {"type": "string", "description": "The cursor."},
        "limit": {"type": "integer", "description": "At most.", "default": 10},
    }
    assert "outputSchema" not in tool(component)
    assert component.call("run", '{"name":"a","continue":"b"}') == '{"content":[{"type":"text","text":"a b 10"}]}'
    assert component.call("run", '{"name":"a","continue":null}') == '{"content":[{"type":"text","text":"a None 10"}]}'


def test_values_are_read_as_their_types() -> None:
    given = {
        "name": "n",
        "kind": "Normal",
        "inner": [{"word": "w"}, {}],
        "level": "b",
        "labels": {"a": "b"},
        "at": "2026-01-01T00:00:00Z",
        "more": {"a": [None]},
        "share": 1,
    }
    read = values.read(Outer, given, "it")
    assert read == Outer("n", Kind.NORMAL, [Inner("w"), Inner()], "b", {"a": "b"}, datetime(2026, 1, 1, tzinfo=UTC), {"a": [None]}, 1.0)
    assert values.write(read) == {**given, "inner": [{"word": "w", "size": 1}, {"size": 1}], "at": "2026-01-01T00:00:00+00:00"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "it: `name` is required"),
        ({"name": 7}, "it: `name` is 7, and a text is wanted"),
        ({"name": "n", "nome": 1}, "it: `nome` is not known; the possible ones are at, inner, kind, labels, level, more, name, share"),
        ({"name": "n", "level": "c"}, "it: `level` is 'c', and one of ('a', 'b') is wanted"),
        ({"name": "n", "inner": [{"size": 1.5}]}, "it: `inner`[0]: `size` is 1.5, and a whole number is wanted"),
        ({"name": "n", "inner": [{"size": True}]}, "it: `inner`[0]: `size` is True, and a whole number is wanted"),
        ({"name": "n", "kind": "Odd"}, "it: `kind` is 'Odd', and one of ['Warning', 'Normal'] is wanted"),
    ],
)
def test_what_does_not_fit_is_said_with_its_place(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ToolError) as error:
        values.read(Outer, given, "it")
    assert str(error.value) == words
