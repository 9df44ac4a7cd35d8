"""Between JSON and the types of a tool: what the host hands over becomes values of these types, and an answer becomes JSON."""

import dataclasses
import enum
import functools
import types
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import ToolError

MISSING = dataclasses.MISSING


@dataclass(frozen=True)
class Field:
    """A field of a dataclass, or a parameter of a function."""

    name: str
    type: Any
    default: Any
    """What it is where it is absent; MISSING: it is required."""

    @functools.cached_property
    def json(self) -> str:
        """Its name in JSON: `continue_` stands for `continue`, which is a word of Python."""
        return self.name.removesuffix("_")

    @property
    def is_required(self) -> bool:
        return self.default is MISSING

    @functools.cached_property
    def absent(self) -> tuple[Any, ...]:
        """The values of which an answer says nothing: those that mean nothing, where they are the default."""
        return (self.default,) if self.default in (None, [], {}) else ()


def bare(kind: Any) -> Any:
    """A type without what is annotated."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind


def is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)


def without_none(kind: Any) -> tuple[Any, bool]:
    """A type without None, and whether None was one of its values. What is annotated around `X | None` is kept."""
    if get_origin(kind) is Annotated:
        inner, *notes = get_args(kind)
        inner, optional = without_none(inner)
        return Annotated[(inner, *notes)], optional
    if not is_union(kind):
        return kind, False
    arms = [arm for arm in get_args(kind) if arm is not type(None)]
    return (Union[tuple(arms)] if arms else kind), len(arms) < len(get_args(kind))


def class_of(kind: Any) -> type | None:
    """The dataclass that a type is, if it is one: `Page[Item]` is a `Page`."""
    kind = bare(kind)
    origin = get_origin(kind) or kind
    return origin if isinstance(origin, type) and dataclasses.is_dataclass(origin) else None


def fields_of(kind: Any) -> list[Field]:
    """The fields of a dataclass, with the types that a generic one has here."""
    kind = bare(kind)
    cls = class_of(kind)
    assert cls is not None
    variables = dict(zip(getattr(cls, "__parameters__", ()), get_args(kind)))
    return [dataclasses.replace(field, type=_filled_in(field.type, variables)) for field in _of_class(cls)]


@functools.cache
def _of_class(cls: type) -> tuple[Field, ...]:
    hints = get_type_hints(cls, include_extras=True)
    return tuple(Field(field.name, hints[field.name], _default(field)) for field in dataclasses.fields(cls))


_learned: set[type] = set()


def learn(kind: Any) -> None:
    """Looks at all dataclasses in a type now, when a component is built, and not in each of its calls."""
    cls = class_of(kind)
    if cls is not None and cls not in _learned:
        _learned.add(cls)
        for field in _of_class(cls):
            learn(field.type)
    for inner in get_args(bare(kind)):
        learn(inner)


def _default(field: "dataclasses.Field[Any]") -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _filled_in(kind: Any, variables: Mapping[Any, Any]) -> Any:
    if isinstance(kind, TypeVar):
        return variables.get(kind, Any)
    parameters = getattr(kind, "__parameters__", ())
    return kind[tuple(variables.get(each, Any) for each in parameters)] if parameters and variables else kind


def read(kind: Any, value: Any, place: str) -> Any:
    """A value of a type, of JSON. Fails in words for whoever wrote the JSON."""
    kind = bare(kind)
    if isinstance(kind, TypeVar) or kind in (Any, object):
        return value
    if is_union(kind):
        return _read_union(kind, value, place)
    if class_of(kind):
        cls = class_of(kind)
        assert cls is not None
        return cls(**read_fields(fields_of(kind), value, place))
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _expect(value in arguments and type(value) in map(type, arguments), value, place, f"one of {arguments}")
    if origin in (list, Sequence):
        _expect(isinstance(value, list), value, place, "a list")
        return [read(arguments[0], item, f"{place}[{index}]") for index, item in enumerate(value)]
    if origin in (dict, Mapping):
        _expect(isinstance(value, dict), value, place, "an object")
        return {key: read(arguments[1], item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        _expect(value in [member.value for member in kind], value, place, f"one of {[member.value for member in kind]}")
        return kind(value)
    return _read_plain(kind, value, place)


def read_fields(fields: Sequence[Field], value: Any, place: str) -> dict[str, Any]:
    """The fields of an object, by their names in Python."""
    _expect(isinstance(value, dict), value, place, "an object")
    unknown = value.keys() - {field.json for field in fields}
    if unknown:
        known = ", ".join(sorted(field.json for field in fields)) or "none"
        raise ToolError(f"{place}: `{min(unknown)}` is not known; the possible ones are {known}")
    read_ = {}
    for field in fields:
        there = value.get(field.json)
        if there is not None or (field.json in value and field.is_required):
            read_[field.name] = read(field.type, there, f"{place}: `{field.json}`")
        elif field.is_required:
            raise ToolError(f"{place}: `{field.json}` is required")
    return read_


def _read_union(kind: Any, value: Any, place: str) -> Any:
    inner, optional = without_none(kind)
    if value is None and optional:
        return None
    if not is_union(inner):
        return read(inner, value, place)
    for arm in get_args(inner):
        try:
            return read(arm, value, place)
        except ToolError:
            continue
    raise ToolError(f"{place} is {_shown(value)}, which is none of its types")


def _read_plain(kind: Any, value: Any, place: str) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is str:
        return _expect(isinstance(value, str), value, place, "a text")
    if kind is bool:
        return _expect(isinstance(value, bool), value, place, "true or false")
    if kind is int:
        return int(_expect(is_number and value == int(value), value, place, "a whole number"))
    if kind is float:
        return float(_expect(is_number, value, place, "a number"))
    if kind is datetime:
        _expect(isinstance(value, str), value, place, "a time")
        return datetime.fromisoformat(value)
    if kind in (dict, list):
        return _expect(isinstance(value, kind), value, place, "an object" if kind is dict else "a list")
    raise TypeError(f"{kind!r} is no type that can be read from JSON")


def _expect(holds: bool, value: Any, place: str, wanted: str) -> Any:
    if not holds:
        raise ToolError(f"{place} is {_shown(value)}, and {wanted} is wanted")
    return value


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:80] + "..."


def write(value: Any) -> Any:
    """A value as JSON has it. What is None by default is left out where it is None, and so are lists and mappings that are empty by default."""
    # The types of most values go first: to ask for an abstract one takes its time in an interpreter.
    kind = type(value)
    if value is None or kind in (str, int, float, bool):
        return value
    if kind is list:
        return [write(item) for item in value]
    if kind is dict:
        return {str(key): write(item) for key, item in value.items()}
    if dataclasses.is_dataclass(kind):
        there = [(field, getattr(value, field.name)) for field in _of_class(kind)]
        return {field.json: write(item) for field, item in there if item not in field.absent}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): write(item) for key, item in value.items()}
    if isinstance(value, (Sequence, Set)) and not isinstance(value, (str, bytes)):
        return [write(item) for item in value]
    return value
