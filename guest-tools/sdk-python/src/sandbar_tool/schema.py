"""JSON Schemas of the types of a tool, as MCP clients like them: inlined, small, an optional value is an absent one.

They are made where a component is built and not inside of it.
"""

import enum
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from . import answers, values, words
from .values import Field

Schema = dict[str, Any]

PLAIN: dict[Any, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    datetime: {"type": "string", "format": "date-time"},
    dict: {"type": "object"},
    list: {"type": "array"},
    type(None): {"type": "null"},
    Any: {},
    object: {},
}


def of_arguments(fields: Sequence[Field], said: Mapping[str, str]) -> Schema:
    """The schema of these fields as arguments. Unknown ones are refused."""
    return {"type": "object", "additionalProperties": False, **_of_fields(fields, said, is_answer=False)}


def of_settings(kind: type) -> Schema:
    """The schema of a dataclass whose fields are options."""
    return of_arguments(values.fields_of(kind), words.of_class(kind))


def of_answer(kind: Any) -> Schema:
    """The schema of a type as an answer. It stays open: a later version may answer more. What the type is for is said by the tool itself."""
    schema = _of(kind, is_answer=True)
    schema.pop("description", None)
    return schema


def _of_fields(fields: Sequence[Field], said: Mapping[str, str], *, is_answer: bool) -> Schema:
    properties: Schema = {}
    for field in fields:
        optional = not field.is_required and (not is_answer or field.absent)
        inner, _ = values.without_none(field.type)
        schema = _of(inner if optional else field.type, is_answer=is_answer)
        if field.name in said:
            schema["description"] = said[field.name]
        if not is_answer and not field.is_required and not field.absent:
            schema["default"] = values.write(field.default)
        properties[field.json] = schema
    required = [field.json for field in fields if field.is_required or (is_answer and not field.absent)]
    return {"properties": properties, **({"required": required} if required else {})}


def _of(kind: Any, *, is_answer: bool) -> Schema:
    if get_origin(kind) is Annotated:
        inner, *notes = get_args(kind)
        schema = _of(inner, is_answer=is_answer)
        for note in notes:
            schema.update({"description": note} if isinstance(note, str) else note.keywords if isinstance(note, answers.Schema) else {})
        return schema
    if kind in PLAIN:
        return dict(PLAIN[kind])
    if isinstance(kind, TypeVar):
        return {}
    if values.is_union(kind):
        return _any_of([_of(arm, is_answer=is_answer) for arm in get_args(kind)])
    cls = values.class_of(kind)
    if cls is not None:
        return _of_class(kind, cls, is_answer)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _enum(arguments)
    if origin in (list, Sequence):
        return {"type": "array", "items": _of(arguments[0], is_answer=is_answer)}
    if origin in (dict, Mapping) and arguments[0] is str:
        return {"type": "object", "additionalProperties": _of(arguments[1], is_answer=is_answer)}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _enum([member.value for member in kind])
    raise TypeError(
        f"{kind!r} has no JSON Schema here: use str, int, float, bool, datetime, list, dict[str, ...], Literal, an Enum, a dataclass, or a union of these"
    )


# The classes whose schemas are being made, the outermost first.
_making: list[type] = []


def _of_class(kind: Any, cls: type, is_answer: bool) -> Schema:
    if cls in _making:
        raise TypeError(f"{cls.__name__} has itself inside, and a schema with a reference to itself is nothing that models read well")
    _making.append(cls)
    try:
        schema = {"type": "object", **_of_fields(values.fields_of(kind), words.of_class(cls), is_answer=is_answer)}
    finally:
        _making.pop()
    about = words.about(cls)
    return {"description": about, **schema} if about else schema


def _any_of(schemas: list[Schema]) -> Schema:
    """Of plain types a list of their names, as `X | None` is most often."""
    if all(schema.keys() == {"type"} for schema in schemas):
        return {"type": [schema["type"] for schema in schemas]}
    return {"anyOf": schemas}


def _enum(options: Sequence[Any]) -> Schema:
    kinds = {PLAIN[type(option)]["type"] for option in options}
    return {**({"type": kinds.pop()} if len(kinds) == 1 else {}), "enum": list(options)}
