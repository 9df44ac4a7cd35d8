"""Reads: objects, lists, tables, logs. A resource is named as kubectl has it: `pods`, `deployments.apps`, `deployments.v1.apps`.

A namespaced resource is looked for in `namespace`, or, if that is None, in every namespace that the operator allows; for a cluster-scoped one,
`cluster=True`. `fields` are the paths to keep of each object, `status.containerStatuses.restartCount` for example: the host leaves out the rest. With
`of`, a dataclass, they are those of its fields, and the objects are of that type.
"""

import builtins
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypedDict, TypeVar, Unpack, overload

from . import objects as typed
from .answers import Page
from .errors import HostError
from .host import Cluster, Column, EveryNamespace, Excerpt, Items, Kind, Namespace, Object, Query, Resource, Scope, Source, host

# Objects on a page, where the operator does not set less.
PAGE_MAX = 1000

T = TypeVar("T")
U = TypeVar("U")

Json = dict[str, Any]
"""An object of the cluster, as its API has it."""


class GetOptions(TypedDict, total=False):
    """Where an object is, and what to read of it."""

    namespace: str | None
    cluster: bool
    fields: builtins.list[str] | None


class ListOptions(TypedDict, total=False):
    """What to list."""

    namespace: str | None
    cluster: bool
    labels: str | None
    """A label selector: `app=web,tier!=test`."""
    field_selector: str | None
    """A field selector: `status.phase=Running`."""
    fields: builtins.list[str] | None
    limit: int | None
    """Objects on a page: 200 if absent, 1000 or what the operator set at most."""
    after: str | None
    """The cursor of the page before."""


class LogOptions(TypedDict, total=False):
    """What to read of a log."""

    container: str | None
    """None is right for a pod with one container only."""
    previous: bool
    """The run before the last restart."""
    tail_lines: int | None
    """How many of the newest lines, counted before `matching` drops any: 2000 by default, 20,000 with `matching`."""
    since_seconds: int | None
    timestamps: bool
    matching: str | None
    """Only lines that this regular expression (RE2) matches somewhere."""
    limit_bytes: int | None


@dataclass(frozen=True)
class Row:
    """A row of a table: the metadata of its object, and its cells by the names of their columns."""

    metadata: Json
    cells: Json


@dataclass(frozen=True)
class Table:
    """One page of a list as kubectl shows it."""

    columns: "builtins.list[Column]"
    rows: "builtins.list[Row]"
    after: str | None = None
    remaining: int | None = None
    warnings: "builtins.list[str]" = field(default_factory=list)


class Answers(Generic[T]):
    """What several reads have answered, in the order in which they were asked for. Each has a value or an error of its own."""

    def __init__(self, answers: "builtins.list[T | Exception]") -> None:
        self._answers = answers

    def __iter__(self) -> "Iterator[T | Exception]":
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)

    def __getitem__(self, index: int) -> T:
        """The value at this place; raises its error, if that is what it has."""
        answer = self._answers[index]
        if isinstance(answer, Exception):
            raise answer
        return answer


@overload
def get(resource: str, name: str, **options: Unpack[GetOptions]) -> Json: ...
@overload
def get(resource: str, name: str, of: type[T], **options: Unpack[GetOptions]) -> T: ...
def get(resource: str, name: str, of: Any = Json, **options: Unpack[GetOptions]) -> Any:
    """One object. A namespaced one needs its namespace."""
    options = {**options, "fields": _fields(of, options.get("fields"))}
    return typed.read(of, json.loads(host().get_object(_object(resource, name, options))), resource)


@overload
def list(resource: str, **options: Unpack[ListOptions]) -> Page[Json]: ...
@overload
def list(resource: str, of: type[T], **options: Unpack[ListOptions]) -> Page[T]: ...
def list(resource: str, of: Any = Json, **options: Unpack[ListOptions]) -> Page[Any]:
    """One page of a list. It may hold fewer objects than `limit`, even none: only `continue_` says whether there is more."""
    options = {**options, "fields": _fields(of, options.get("fields"))}
    return _page(host().list_objects(_query(resource, options))).map(lambda each: typed.read(of, each, resource))


@overload
def pages(resource: str, **options: Unpack[ListOptions]) -> Iterator[Page[Json]]: ...
@overload
def pages(resource: str, of: type[T], **options: Unpack[ListOptions]) -> Iterator[Page[T]]: ...
def pages(resource: str, of: Any = Json, **options: Unpack[ListOptions]) -> Iterator[Page[Any]]:
    """Page after page, to the end. What a call may read has bounds, so a long list may end in a HostError with the code `exhausted`."""
    while True:
        page = list(resource, of, **options)
        yield page
        if page.continue_ is None:
            return
        options = {**options, "after": page.continue_}


@overload
def all(resource: str, **options: Unpack[ListOptions]) -> Iterator[Json]: ...
@overload
def all(resource: str, of: type[T], **options: Unpack[ListOptions]) -> Iterator[T]: ...
def all(resource: str, of: Any = Json, **options: Unpack[ListOptions]) -> Iterator[Any]:
    """All objects of a list, page after page."""
    for page in pages(resource, of, **options):
        yield from page.items


@overload
def list_up_to(resource: str, objects: int, **options: Unpack[ListOptions]) -> Page[Json]: ...
@overload
def list_up_to(resource: str, objects: int, of: type[T], **options: Unpack[ListOptions]) -> Page[T]: ...
def list_up_to(resource: str, objects: int, of: Any = Json, **options: Unpack[ListOptions]) -> Page[Any]:
    """A list up to this many objects, as one page. Whatever ended it early, the number or an error, is the last of its warnings, and `continue_` goes on
    from there where that is possible. Only where the first page fails is that raised. Each page has `limit` objects, or as many as can be."""
    on_page = options.get("limit") or PAGE_MAX
    most = max(objects, 1)
    options = {**options, "limit": min(on_page, most)}
    read = list(resource, of, **options)
    items, warnings = builtins.list(read.items), builtins.list(read.warnings)
    while read.continue_ is not None:
        if len(items) >= most:
            warnings.append(f"only the first {len(items)} objects were read, and there are more")
            break
        options = {**options, "limit": min(on_page, most - len(items)), "after": read.continue_}
        try:
            read = list(resource, of, **options)
        except HostError as error:
            warnings.append(f"only the first {len(items)} objects could be read: {error}")
            # A cursor that is too old leads nowhere.
            return Page(items, None if error.code == "expired" else read.continue_, read.remaining, warnings)
        items += read.items
        # What one page warns of, another may, too.
        warnings += [each for each in read.warnings if each not in warnings]
    return Page(items, read.continue_, read.remaining, warnings)


def table(resource: str, **options: Unpack[ListOptions]) -> Table:
    """One page of a list in the columns that kubectl shows. Of `fields` only those under `metadata` make sense."""
    columns, items = host().list_table(_query(resource, options))
    rows = [Row(row.get("metadata", {}), row["cells"]) for row in json.loads(items.items)]
    return Table(columns, rows, items.after, items.remaining, items.warnings)


def tail(pod: str, namespace: str, **options: Unpack[LogOptions]) -> Excerpt:
    """The end of a container's log."""
    return host().tail(_source(pod, namespace, options))


def get_many(objects: "Iterable[tuple[str, str] | tuple[str, str, GetOptions]]") -> Answers[Json]:
    """Several objects, side by side: each `(resource, name)` or `(resource, name, {"namespace": ..., "fields": [...]})`."""
    asked = [_object(resource, name, rest[0] if rest else {}) for resource, name, *rest in objects]
    return Answers(_each(host().get_many(asked), json.loads))


def list_many(queries: "Iterable[str | tuple[str, ListOptions]]") -> Answers[Page[Json]]:
    """A page of each of several lists, side by side: each `resource` or `(resource, {"namespace": ..., ...})`."""
    asked = [_query(each, {}) if isinstance(each, str) else _query(each[0], each[1]) for each in queries]
    return Answers(_each(host().list_many(asked), _page))


def tail_many(sources: "Iterable[tuple[str, str] | tuple[str, str, LogOptions]]") -> Answers[Excerpt]:
    """The ends of several logs, side by side: each `(pod, namespace)` or `(pod, namespace, {"container": ..., ...})`."""
    asked = [_source(pod, namespace, rest[0] if rest else {}) for pod, namespace, *rest in sources]
    return Answers(host().tail_many(asked))


def kinds() -> "builtins.list[Kind]":
    """What the cluster serves, as far as the rules of the component let it be read."""
    return host().served_kinds()[0]


def health() -> Json:
    """The state of the API server: `gitVersion`, `platform`, `ready`."""
    answer: Json = json.loads(host().api_server())
    return answer


def _fields(of: Any, given: "builtins.list[str] | None") -> "builtins.list[str] | None":
    """The paths to read: those that are given, else those of the type; of the type of any object, all."""
    return given if given is not None else [path for path in typed.paths(of) if path] or None


def _scope(namespace: str | None = None, cluster: bool = False) -> Scope:
    if cluster:
        return Cluster()
    return Namespace(namespace) if namespace else EveryNamespace()


def _object(resource: str, name: str, options: GetOptions) -> Object:
    scope = _scope(options.get("namespace"), options.get("cluster", False))
    return Object(Resource.named(resource), scope, name, options.get("fields"))


def _query(resource: str, options: ListOptions) -> Query:
    return Query(
        Resource.named(resource),
        _scope(options.get("namespace"), options.get("cluster", False)),
        options.get("labels"),
        options.get("field_selector"),
        options.get("fields"),
        options.get("limit"),
        options.get("after") or None,
    )


def _source(pod: str, namespace: str, options: LogOptions) -> Source:
    return Source(
        namespace,
        pod,
        options.get("container"),
        options.get("previous", False),
        options.get("tail_lines"),
        options.get("since_seconds"),
        options.get("timestamps", False),
        options.get("matching"),
        options.get("limit_bytes"),
    )


def _page(items: Items) -> Page[Json]:
    return Page(json.loads(items.items), items.after, items.remaining, items.warnings)


def _each(answers: "builtins.list[T | Exception]", value: Callable[[T], U]) -> "builtins.list[U | Exception]":
    return [answer if isinstance(answer, Exception) else value(answer) for answer in answers]
