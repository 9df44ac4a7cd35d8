"""A cluster for tests, made of objects, so that a tool is tested without a component, a host or a cluster, on the Python at hand.

Like the real host it hands over only what the rules of the component ask for, and only the fields that were asked for. It does not mask
secrets, and has no limits but the pages.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from . import host as h
from .component import Component, PolicyRule
from .errors import HostError

T = TypeVar("T")
U = TypeVar("U")

PAGE = 200
PAGE_MAX = 1000
TAIL_LINES = 2000

# Kinds whose plural in lower case is not their name and an `s`.
PLURALS = {"Endpoints": "endpoints", "EndpointSlice": "endpointslices"}


class Cluster:
    """A cluster that answers from its objects, and what an operator and a caller are.

    `asked` is what was read, in words such as `list pods` and `get deployments.apps web`; `said` are the reports of progress; `health` is what the API server says of itself.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.said: list[str] = []
        self._objects: dict[str, list[dict[str, Any]]] = {}
        self._kinds: dict[str, h.Kind] = {}
        self._logs: dict[tuple[str, str, str | None, bool], str] = {}
        self._errors: dict[str, HostError] = {}
        self._settings: dict[str, Any] = {}
        self._caller: h.User | None = None
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        self.health = {"gitVersion": "v1.37.2", "platform": "linux/amd64", "ready": True}

    # What there is.

    def add(self, *objects: dict[str, Any]) -> "Cluster":
        """Adds objects, as the API has them; a `List` is what is in it. The plural of a kind is in the CustomResourceDefinition, if one was added
        before, else what Kubernetes would call it."""
        for each in objects:
            if each.get("kind", "").endswith("List") and "items" in each:
                self.add(*each["items"])
                continue
            missing = [name for name in ("apiVersion", "kind", "metadata") if name not in each]
            if missing:
                raise ValueError(f"an object without {' and '.join(missing)}: {json.dumps(each)[:200]}")
            if each["kind"] == "CustomResourceDefinition":
                self._define(each["spec"])
            self._objects.setdefault(self._kind(each).resource, []).append(each)
        return self

    def load(self, file: str | Path) -> "Cluster":
        """Adds the objects of a file: JSON, or YAML with any number of documents, for which PyYAML has to be installed."""
        path = Path(file)
        text = path.read_text()
        if path.suffix == ".json":
            documents = [json.loads(text)]
        else:
            import yaml

            documents = list(yaml.safe_load_all(text))
        for document in documents:
            self.add(*(document if isinstance(document, list) else [document] if document else []))
        return self

    def log(self, namespace: str, pod: str, text: str, *, container: str | None = None, previous: bool = False) -> "Cluster":
        """Adds the log of a container."""
        self._logs[(namespace, pod, container, previous)] = text
        return self

    def fails(self, resource: str, code: str, message: str = "the test says so") -> "Cluster":
        """Reads of this resource, `pods` or `deployments.apps`, fail with this code."""
        self._errors[resource] = HostError(code, message)
        return self

    def setting(self, key: str, value: Any) -> "Cluster":
        """Sets an option as an operator does."""
        self._settings[key] = value
        return self

    def caller(self, name: str, *groups: str) -> "Cluster":
        """Says who calls; nobody that is known, if a test does not."""
        self._caller = h.User(name, groups)
        return self

    def at(self, time: datetime) -> "Cluster":
        """Says what time it is; the beginning of 2026, if a test does not."""
        self._now = time
        return self

    # What a test does with it.

    def call(self, component: Component, tool: str, arguments: dict[str, Any] | None = None) -> Any:
        """What a tool answers: its structured content, or its text if it has no other. What it raises comes out as it is."""
        result = self.result(component, tool, arguments)
        return result["structuredContent"] if "structuredContent" in result else result["content"][0]["text"]

    def result(self, component: Component, tool: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        """The whole result of a tool, as MCP has it."""
        with self.answering(component):
            result: dict[str, Any] = json.loads(component.call(tool, json.dumps(arguments or {})))
            return result

    def prompt(self, component: Component, prompt: str, arguments: dict[str, str] | None = None) -> list[tuple[str, str]]:
        """The messages of a prompt, each with its role."""
        with self.answering(component):
            result = json.loads(component.get(prompt, json.dumps(arguments or {})))
        return [(message["role"], message["content"]["text"]) for message in result["messages"]]

    def resource(self, component: Component, uri: str) -> str | None:
        """The text of a resource; None where there is no such."""
        with self.answering(component):
            contents = json.loads(component.read(uri))["contents"]
        return contents[0]["text"] if contents else None

    @contextmanager
    def answering(self, component: Component | None = None) -> Iterator["Cluster"]:
        """Answers the functions of this package, within the rules of this component; without one, all of them."""
        token = h.HOST.set(_Host(self, component))
        try:
            yield self
        finally:
            h.HOST.reset(token)

    def _define(self, definition: dict[str, Any]) -> None:
        names, served = definition["names"], [version["name"] for version in definition["versions"]]
        resource = f"{names['plural']}.{definition['group']}"
        short, namespaced = tuple(names.get("shortNames", ())), definition["scope"] == "Namespaced"
        self._kinds[resource] = h.Kind(resource, served[-1], names["kind"], short, namespaced, ("get", "list"))

    def _kind(self, thing: dict[str, Any]) -> h.Kind:
        """The kind of an object; one that is new is served from now on."""
        group, _, version = thing["apiVersion"].rpartition("/")
        name = thing["kind"]
        for kind in self._kinds.values():
            if kind.name == name and h.Resource.named(kind.resource).group == group:
                return kind
        resource = str(h.Resource(group, "", PLURALS.get(name) or _plural(name.lower())))
        self._kinds[resource] = h.Kind(resource, version, name, (), "namespace" in thing["metadata"], ("get", "list"))
        return self._kinds[resource]


class _Host:
    """The host that a cluster for tests plays."""

    def __init__(self, cluster: Cluster, component: Component | None) -> None:
        self._cluster = cluster
        self._component = component

    def get_object(self, asked: h.Object) -> str:
        self._cluster.asked.append(f"get {asked.of} {asked.name}")
        for each in self._readable(asked.of, "get", asked.within, asked.name):
            if each["metadata"].get("name") == asked.name:
                return json.dumps(_picked(each, asked.fields))
        raise HostError("not-found", f'{asked.of} "{asked.name}" not found')

    def list_objects(self, query: h.Query) -> h.Items:
        objects, after, remaining = self._listed(query)
        return h.Items(json.dumps([_picked(each, query.fields) for each in objects]), after, remaining, [])

    def list_table(self, query: h.Query) -> tuple[list[h.Column], h.Items]:
        objects, after, remaining = self._listed(query)
        fields = query.fields or ["metadata.name", "metadata.namespace"]
        rows = [{**_picked(each, fields), "cells": {"Name": each["metadata"].get("name")}} for each in objects]
        return [h.Column("Name", 0)], h.Items(json.dumps(rows), after, remaining, [])

    def tail(self, source: h.Source) -> h.Excerpt:
        self._cluster.asked.append(f"log {source.namespace}/{source.pod}")
        self._check_rules("", "pods/log", "get", source.pod, False)
        logs = self._cluster._logs
        keys = [(source.namespace, source.pod, container, source.previous) for container in (source.container, None)]
        text = next((logs[key] for key in keys if key in logs), None)
        if text is None:
            raise HostError("not-found", f"there is no such log of the pod {source.namespace}/{source.pod}")
        lines = text.splitlines(True)
        most = source.tail_lines or TAIL_LINES
        kept = [line for line in lines[-most:] if source.matching is None or re.search(source.matching, line)]
        return h.Excerpt("".join(kept), older=len(lines) > most)

    def get_many(self, asked: list[h.Object]) -> list[str | Exception]:
        return [_answer(self.get_object, each) for each in asked]

    def list_many(self, queries: list[h.Query]) -> list[h.Items | Exception]:
        return [_answer(self.list_objects, each) for each in queries]

    def tail_many(self, sources: list[h.Source]) -> list[h.Excerpt | Exception]:
        return [_answer(self.tail, each) for each in sources]

    def served_kinds(self) -> tuple[list[h.Kind], list[str]]:
        self._check_uses("discovery")
        return sorted(self._cluster._kinds.values(), key=lambda kind: kind.resource.partition(".")[::-1]), []

    def api_server(self) -> str:
        self._check_uses("health")
        return json.dumps(self._cluster.health)

    def who_calls(self) -> h.User | None:
        self._check_uses("caller")
        return self._cluster._caller

    def setting(self, key: str) -> str | None:
        settings = self._cluster._settings
        return json.dumps(settings[key]) if key in settings else None

    def now_ms(self) -> float:
        return self._cluster._now.timestamp() * 1000

    def remaining_ms(self) -> int:
        return 2**32 - 1

    def progress(self, done: float, total: float | None, message: str | None) -> None:
        how_far = f"{done}" if total is None else f"{done}/{total}"
        self._cluster.said.append(how_far if message is None else f"{how_far} {message}")

    def _listed(self, query: h.Query) -> tuple[list[dict[str, Any]], str | None, int | None]:
        """The objects of a page, the cursor behind it, and how many follow."""
        self._cluster.asked.append(f"list {query.of}")
        if str(query.of) == "events" and isinstance(query.within, h.EveryNamespace):
            raise HostError("invalid", "events have to be listed in one namespace")
        objects = [
            each
            for each in self._readable(query.of, "list", query.within, None)
            if has_labels(each, query.labels or "") and has_fields(each, query.field_selector or "")
        ]
        if query.after is not None and not query.after.isdecimal():
            raise HostError("invalid", "`continue` is not a cursor of this server; start the list again without it")
        begin, limit = int(query.after or 0), min(query.limit or PAGE, PAGE_MAX)
        end = begin + limit
        is_more = end < len(objects)
        return objects[begin:end], str(end) if is_more else None, len(objects) - end if is_more else None

    def _readable(self, of: h.Resource, verb: str, within: h.Scope, name: str | None) -> list[dict[str, Any]]:
        cluster = self._cluster
        self._check_rules(of.group, of.plural, verb, name, isinstance(within, h.Cluster))
        if str(of) in cluster._errors:
            raise cluster._errors[str(of)]
        if str(of) not in cluster._kinds:
            raise HostError("not-served", f"the cluster serves no {of}: the test has added no object of it")
        return [each for each in cluster._objects.get(str(of), []) if _is_within(each, within)]

    def _check_rules(self, group: str, plural: str, verb: str, name: str | None, is_cluster: bool) -> None:
        if self._component is None:
            return
        rules = self._component.cluster_rules if is_cluster else self._component.rules
        if not any(_allows(rule, group, plural, verb, name) for rule in rules):
            which = "cluster_rules" if is_cluster else "rules"
            rule = f'{{"apiGroups": ["{group}"], "resources": ["{plural}"], "verbs": ["{verb}"]}}'
            raise HostError("denied", f"the component does not ask to {verb} {plural}: it has to have {rule} among its {which}")

    def _check_uses(self, name: str) -> None:
        if self._component is not None and name not in self._component.uses:
            raise RuntimeError(f"the component does not import `{name}`: name it in `uses` of its Component")


def _allows(rule: PolicyRule, group: str, plural: str, verb: str, name: str | None) -> bool:
    names = rule.get("resourceNames", [])
    return (
        (group in rule["apiGroups"] or "*" in rule["apiGroups"])
        and (plural in rule["resources"] or ("*" in rule["resources"] and plural != "pods/log"))
        and verb in rule["verbs"]
        and (not names or name in names)
    )


def _answer(read: Callable[[T], U], asked: T) -> U | Exception:
    try:
        return read(asked)
    except HostError as error:
        return error


def _plural(name: str) -> str:
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return name[:-1] + "ies"
    return name + ("es" if name.endswith(("s", "x", "ch")) else "s")


def _is_within(thing: dict[str, Any], scope: h.Scope) -> bool:
    namespace = thing["metadata"].get("namespace")
    match scope:
        case h.Namespace(name):
            return bool(namespace == name)
        case h.Cluster():
            return namespace is None
        case h.EveryNamespace():
            return True


def has_labels(thing: dict[str, Any], selector: str) -> bool:
    """Whether a label selector fits: `a=b`, `a==b`, `a!=b`, `a`, `!a`, `a in (b,c)`, `a notin (b,c)`."""
    labels = thing["metadata"].get("labels", {})
    for condition in filter(None, (part.strip() for part in re.split(r",(?![^(]*\))", selector))):
        if match := re.fullmatch(r"(\S+)\s+(not)?in\s*\((.*)\)", condition):
            holds = (labels.get(match[1]) in [each.strip() for each in match[3].split(",")]) != bool(match[2])
        elif match := re.fullmatch(r"([^!=\s]+)\s*(!?)==?\s*(\S*)", condition):
            holds = (labels.get(match[1]) == match[3]) != bool(match[2])
        else:
            holds = (condition.lstrip("!").strip() in labels) != condition.startswith("!")
        if not holds:
            return False
    return True


def has_fields(thing: dict[str, Any], selector: str) -> bool:
    """Whether a field selector fits: `a.b=c`, `a.b!=c`. What is not there is ""."""
    for condition in filter(None, selector.split(",")):
        path, _, value = condition.replace("==", "=").partition("=")
        there: Any = thing
        for key in path.removesuffix("!").split("."):
            there = there.get(key, "") if isinstance(there, dict) else ""
        if (str(there) == value) == path.endswith("!"):
            return False
    return True


def _picked(thing: Any, fields: list[str] | None) -> Any:
    """An object with these fields alone, as the host hands it over."""
    if fields is None:
        whole = json.loads(json.dumps(thing))
        whole["metadata"].pop("managedFields", None)
        return whole
    picked: dict[str, Any] = {}
    for path in fields:
        keys = [quoted or plain for quoted, plain in re.findall(r'\["([^"]+)"\]|([A-Za-z0-9_-]+)', path)]
        _merge(picked, _along(thing, keys))
    return picked


def _along(value: Any, keys: list[str]) -> Any:
    if not keys:
        return value
    if isinstance(value, list):
        return [_along(item, keys) for item in value]
    if not isinstance(value, dict):
        return None
    return {keys[0]: _along(value[keys[0]], keys[1:])} if keys[0] in value else {}


def _merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        there = into.get(key)
        if isinstance(there, dict) and isinstance(value, dict):
            _merge(there, value)
        elif isinstance(there, list) and isinstance(value, list):
            for one, other in zip(there, value):
                _merge(one, other)
        else:
            into[key] = value
