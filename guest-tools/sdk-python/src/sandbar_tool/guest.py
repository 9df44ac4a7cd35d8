"""Inside of a component: the host as its bindings have it, and the exports of the contract. Nothing else imports this."""

import importlib
import linecache
import logging
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from componentize_py_types import Err

from . import host as h
from .component import Component
from .errors import HostError, ToolError

# Characters of an exception's text that a model reads. The whole is in the log.
SHOWN = 200

HERE = str(Path(__file__).parent)

INTERFACES = ("context", "logging", "caller", "types", "read", "table", "read_many", "logs", "logs_many", "discovery", "health")


def _imported(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(f"wit_world.imports.{name}")
    except ImportError:
        return None


# The interfaces of the world. All of them have to be imported now: what is not is not in the component.
imports = SimpleNamespace(**{name: _imported(name) for name in INTERFACES})


class _Host:
    """The functions of the contract, by its bindings. A component has those interfaces that its rules and its `uses` stand for."""

    def get_object(self, asked: h.Object) -> str:
        read = _interface("read", "rules")
        return _ask(read.get_object, _resource(asked.of), _scope(asked.within), asked.name, asked.fields, None)  # type: ignore[no-any-return]

    def list_objects(self, query: h.Query) -> h.Items:
        return _items(_ask(_interface("read", "rules").list_objects, _query(query)))

    def list_table(self, query: h.Query) -> tuple[list[h.Column], h.Items]:
        page = _ask(_interface("table", "rules").list_table, _query(query))
        return [h.Column(column.name, column.priority) for column in page.columns], _items(page, page.rows)

    def tail(self, source: h.Source) -> h.Excerpt:
        return _excerpt(_ask(_interface("logs", "rules").tail, _source(source)))

    def get_many(self, asked: list[h.Object]) -> list[str | Exception]:
        many = _interface("read_many", "rules")
        objects = [many.Object(_resource(each.of), _scope(each.within), each.name, each.fields, None) for each in asked]
        return _each(_ask(many.get_many, objects), lambda text: text)

    def list_many(self, queries: list[h.Query]) -> list[h.Items | Exception]:
        return _each(_ask(_interface("read_many", "rules").list_many, [_query(each) for each in queries]), _items)

    def tail_many(self, sources: list[h.Source]) -> list[h.Excerpt | Exception]:
        return _each(_ask(_interface("logs_many", "rules").tail_many, [_source(each) for each in sources]), _excerpt)

    def served_kinds(self) -> tuple[list[h.Kind], list[str]]:
        served = _ask(_interface("discovery", "uses").served_kinds)
        kinds = [
            h.Kind(
                str(h.Resource(kind.of.group, "", kind.of.plural)),
                kind.of.version,
                kind.name,
                tuple(kind.short_names),
                kind.namespaced,
                tuple(kind.verbs),
            )
            for kind in served.kinds
        ]
        return kinds, served.warnings

    def api_server(self) -> str:
        return _ask(_interface("health", "uses").api_server)  # type: ignore[no-any-return]

    def who_calls(self) -> h.User | None:
        user = _interface("caller", "uses").who_calls()
        return user and h.User(user.name, tuple(user.groups))

    def setting(self, key: str) -> str | None:
        return imports.context.setting(key)  # type: ignore[no-any-return]

    def now_ms(self) -> float:
        return imports.context.now_ms()  # type: ignore[no-any-return]

    def remaining_ms(self) -> int:
        return imports.context.remaining_ms()  # type: ignore[no-any-return]

    def progress(self, done: float, total: float | None, message: str | None) -> None:
        imports.context.progress(float(done), None if total is None else float(total), message)


class _Log(logging.Handler):
    """Writes what is logged to the server's log."""

    LEVELS = {logging.CRITICAL: "ERROR", logging.ERROR: "ERROR", logging.WARNING: "WARN", logging.INFO: "INFO", logging.DEBUG: "DEBUG"}

    def emit(self, record: logging.LogRecord) -> None:
        level = next((name for number, name in self.LEVELS.items() if record.levelno >= number), "TRACE")
        imports.logging.log(getattr(imports.logging.Level, level), self.format(record))


def exports(component: Component, manifest: str, author: ModuleType) -> tuple[type, type, type]:
    """The classes that the bindings look for: those of tools, prompts and resources."""
    logging.root.handlers = [_Log()]
    logging.root.setLevel(logging.DEBUG)
    _keep_sources(Path(author.__file__ or "").parent)

    class Tools:
        def manifest(self) -> str:
            return manifest

        def call(self, name: str, arguments: str) -> str:
            return _run(name, component.call, name, arguments)

    class Prompts:
        def get(self, name: str, arguments: str) -> str:
            return _run(name, component.get, name, arguments)

    class Resources:
        def read(self, uri: str) -> str:
            return _run(uri, component.read, uri)

    return Tools, Prompts, Resources


def _run(what: str, call: Callable[..., str], *arguments: str) -> str:
    """Runs code of an author, and turns what it raises into words: those that it means to tell, or what kind of fault it was."""
    h.HOST.set(_Host())
    if "random" in sys.modules:
        # Else it would begin as it was when the component was built, in every call.
        sys.modules["random"].seed()
    try:
        return call(*arguments)
    except ToolError as error:
        raise Err(str(error)) from None
    except BaseException as error:  # An exception that gets out is a trap, whose text nobody reads.
        imports.logging.log(imports.logging.Level.ERROR, _traceback(error))
        text = str(error)
        shown = text if len(text) <= SHOWN else text[:SHOWN] + "..."
        frames = _frames(error)
        place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        kind = type(error).__name__
        raise Err(f"{what} has a fault: {kind}{place}{f': {shown}' if shown else ''}; the server's log has the traceback") from None


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Where it was raised: in the files of the author, by their names in the author's folder."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(HERE)]
    for frame in frames:
        frame.filename = _names.get(frame.filename, frame.filename)
    return frames


def _traceback(error: BaseException) -> str:
    told = traceback.TracebackException.from_exception(error)
    every: traceback.TracebackException | None = told
    exception: BaseException | None = error
    while every is not None and exception is not None:
        every.stack = traceback.StackSummary.from_list(_frames(exception))
        is_cause = every.__cause__ is not None
        every = every.__cause__ if is_cause else every.__context__
        exception = exception.__cause__ if is_cause else exception.__context__
    return "".join(told.format()).rstrip()


# What the files of the author are called, by what they are called inside of the component.
_names: dict[str, str] = {}


def _keep_sources(folder: Path) -> None:
    """Keeps the lines of the author's files for tracebacks: inside of the component there are no files. An entry without a time is never checked."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and Path(file).is_relative_to(folder):
            text = Path(file).read_text()
            linecache.cache[file] = (len(text), None, text.splitlines(True), file)
            _names[file] = str(Path(file).relative_to(folder))


def _interface(name: str, by: str) -> Any:
    interface = getattr(imports, name)
    if interface is None:
        raise RuntimeError(f"the component does not import `{name.replace('_', '-')}`: {WHY[by]}")
    return interface


WHY = {
    "rules": "the rules of its Component ask for nothing of the kind",
    "uses": "name it in `uses` of its Component",
}


def _ask(call: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except Err as error:
        raise _error(error.value) from None


def _error(error: Any) -> HostError:
    wait = None if error.retry_after_ms is None else error.retry_after_ms / 1000
    return HostError(error.code, error.message, retry_after=wait)


def _each(results: list[Any], value: Callable[[Any], Any]) -> list[Any]:
    return [_error(result.value) if isinstance(result, Err) else value(result.value) for result in results]


def _resource(of: h.Resource) -> Any:
    return imports.types.ApiResource(of.group, of.version, of.plural)


def _scope(scope: h.Scope) -> Any:
    match scope:
        case h.Namespace(name):
            return imports.types.Scope_Namespace(name)
        case h.EveryNamespace():
            return imports.types.Scope_EveryNamespace()
        case h.Cluster():
            return imports.types.Scope_Cluster()


def _query(query: h.Query) -> Any:
    return imports.read.Query(
        _resource(query.of), _scope(query.within), query.labels, query.field_selector, query.fields, query.limit, query.after, None
    )


def _source(source: h.Source) -> Any:
    return imports.logs.Source(
        source.namespace,
        source.pod,
        source.container,
        source.previous,
        source.tail_lines,
        source.since_seconds,
        source.timestamps,
        source.matching,
        source.limit_bytes,
        None,
    )


def _items(page: Any, items: str | None = None) -> h.Items:
    return h.Items(page.items if items is None else items, page.continue_, page.remaining, page.warnings)


def _excerpt(excerpt: Any) -> h.Excerpt:
    return h.Excerpt(excerpt.text, excerpt.truncated, excerpt.dropped_bytes, excerpt.older, tuple(excerpt.warnings))
