"""Objects of the cluster as types of the author: a dataclass says which fields are read, and the host hands over no others.

A field `container_statuses` is `containerStatuses` in the object, and one that is written as Kubernetes has it, `podIP`, is that.
"""

import functools
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args, get_origin

from . import kubernetes, values


@dataclass(frozen=True)
class Metadata:
    """What an object is called, and where it is: "" if it is cluster-scoped."""

    name: str
    namespace: str = ""


@functools.cache
def paths(kind: Any) -> tuple[str, ...]:
    """The paths to read of an object, as the host takes them."""
    kind = values.bare(values.without_none(values.bare(kind))[0])
    if values.class_of(kind):
        return tuple(
            ".".join(filter(None, (_key(field), rest))) for field in values.fields_of(kind) for rest in paths(field.type)
        )
    # A list is crossed, and of anything else all is read.
    return paths(get_args(kind)[0]) if get_origin(kind) is list else ("",)


def read(kind: Any, value: Any, place: str) -> Any:
    """An object as its type. What is not there is the field's default. Values are those of the API: only times are read."""
    kind = values.bare(values.without_none(values.bare(kind))[0])
    cls = values.class_of(kind)
    if cls is not None:
        return cls(**{name: there for field in values.fields_of(kind) for name, there in _field(field, value, place)})
    if get_origin(kind) is list:
        return [read(get_args(kind)[0], item, place) for item in value]
    return kubernetes.time(value) if kind is datetime else value


def _field(field: values.Field, value: dict[str, Any], place: str) -> list[tuple[str, Any]]:
    key = _key(field)
    there = value.get(key)
    if there is not None:
        return [(field.name, read(field.type, there, f"{place}.{key}"))]
    if field.is_required:
        raise TypeError(f"{place} has no `{key}`: give `{field.name}` a default for where it is not there")
    return []


def _key(field: values.Field) -> str:
    first, *rest = field.json.split("_")
    return first + "".join(word.capitalize() for word in rest)
