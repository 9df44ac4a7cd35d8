"""What stands behind the functions of this package: inside of a component the host, in a test a cluster that plays it."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Resource:
    """A resource as it stands in a URL and in RBAC. The group "" is the core group, the version "" the one that the server prefers."""

    group: str
    version: str
    plural: str

    @classmethod
    def named(cls, name: str) -> "Resource":
        """A resource as kubectl has it: `pods`, `deployments.apps`, `deployments.v1.apps`."""
        plural, _, rest = name.partition(".")
        first, _, after = rest.partition(".")
        is_version = first[:1] == "v" and first[1:2].isdigit()
        return cls(after, first, plural) if is_version else cls(rest, "", plural)

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


@dataclass(frozen=True)
class Cluster:
    """Where cluster-scoped objects are."""


@dataclass(frozen=True)
class EveryNamespace:
    """Every namespace that the operator allows."""


@dataclass(frozen=True)
class Namespace:
    """One namespace."""

    name: str


Scope = Cluster | EveryNamespace | Namespace


@dataclass(frozen=True)
class Object:
    """Which object, and which of its fields."""

    of: Resource
    within: Scope
    name: str
    fields: list[str] | None


@dataclass(frozen=True)
class Query:
    """Which page of a list."""

    of: Resource
    within: Scope
    labels: str | None
    field_selector: str | None
    fields: list[str] | None
    limit: int | None
    after: str | None


@dataclass(frozen=True)
class Source:
    """Which part of which log."""

    namespace: str
    pod: str
    container: str | None
    previous: bool
    tail_lines: int | None
    since_seconds: int | None
    timestamps: bool
    matching: str | None
    limit_bytes: int | None


@dataclass(frozen=True)
class Items:
    """A page of a list. `items` is a list in JSON."""

    items: str
    after: str | None
    remaining: int | None
    warnings: list[str]


@dataclass(frozen=True)
class Column:
    """A column of a table. A `priority` above 0 is for `kubectl get -o wide`."""

    name: str
    priority: int


@dataclass(frozen=True)
class Excerpt:
    """The newest lines of a log that fit, oldest first."""

    text: str
    truncated: bool = False
    """The cap cut something off."""
    dropped_bytes: int | None = None
    """How many bytes were cut off, where that is known."""
    older: bool | None = None
    """Whether older lines exist; None: not known."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """A resource that the cluster serves, in the version that it prefers."""

    resource: str
    """How it is asked for: `deployments.apps`."""
    version: str
    name: str
    """What one of its objects is called: `Deployment`."""
    short_names: tuple[str, ...]
    namespaced: bool
    verbs: tuple[str, ...]


@dataclass(frozen=True)
class User:
    """Who calls."""

    name: str
    groups: tuple[str, ...]


class Host(Protocol):
    """The functions of the contract. They raise `HostError`; of several reads, each has its answer or its error."""

    def get_object(self, asked: Object) -> str: ...
    def list_objects(self, query: Query) -> Items: ...
    def list_table(self, query: Query) -> tuple[list[Column], Items]: ...
    def tail(self, source: Source) -> Excerpt: ...
    def get_many(self, asked: list[Object]) -> list[str | Exception]: ...
    def list_many(self, queries: list[Query]) -> list[Items | Exception]: ...
    def tail_many(self, sources: list[Source]) -> list[Excerpt | Exception]: ...
    def served_kinds(self) -> tuple[list[Kind], list[str]]: ...
    def api_server(self) -> str: ...
    def who_calls(self) -> User | None: ...
    def setting(self, key: str) -> str | None: ...
    def now_ms(self) -> float: ...
    def remaining_ms(self) -> int: ...
    def progress(self, done: float, total: float | None, message: str | None) -> None: ...


HOST: ContextVar[Host] = ContextVar("host")


def host() -> Host:
    """The one that answers now."""
    try:
        return HOST.get()
    except LookupError:
        raise RuntimeError(
            "nothing answers here: outside of a component, call the tool through sandbar_tool.testing.Cluster (in pytest, the fixture `cluster`)"
        ) from None
