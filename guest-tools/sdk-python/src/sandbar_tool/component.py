"""A component: its tools, prompts and resources, what it asks to read, and the settings that it has."""

import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import unquote

from . import values
from .answers import Told
from .errors import ToolError
from .values import Field

F = TypeVar("F", bound=Callable[..., Any])

Capability = Literal["caller", "discovery", "health"]
"""What a component may use that no rule stands for."""


class PolicyRule(TypedDict):
    """A Kubernetes RBAC PolicyRule: what a component asks to read. The operator decides what it gets. Logs are `pods/log` with `get`."""

    apiGroups: list[str]
    resources: list[str]
    verbs: list[Literal["get", "list"]]
    resourceNames: NotRequired[list[str]]


@dataclass(frozen=True)
class Message:
    """A message of a prompt."""

    text: str
    role: Literal["user", "assistant"] = "user"


@dataclass(frozen=True)
class Entry:
    """A function that is served, and what is said about it."""

    name: str
    title: str | None
    description: str
    function: Callable[..., Any]
    parameters: tuple[Field, ...]
    arguments: type | None
    """The dataclass that the function takes, if it is that and not a parameter for each argument."""
    answer: Any

    def run(self, arguments: Any) -> Any:
        """Calls the function with arguments as JSON has them."""
        read = values.read_fields(self.parameters, arguments, f"the arguments of {self.name} are wrong")
        return self.function(self.arguments(**read)) if self.arguments else self.function(**read)


@dataclass(frozen=True)
class Document:
    """What is read by its URI, or by URIs that fit a template."""

    uri: str
    name: str
    title: str | None
    description: str
    mime_type: str
    function: Callable[..., str | None]

    @property
    def is_template(self) -> bool:
        return "{" in self.uri

    def variables(self, uri: str) -> dict[str, str] | None:
        """What stands in a URI for the variables of the template; None: it does not fit."""
        parts = re.split(r"\{(\w+)\}", self.uri)
        pattern = "".join(f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
        match = re.fullmatch(pattern, uri)
        return match and {name: unquote(value) for name, value in match.groupdict().items()}


class Component:
    """Tools, prompts and resources, and what they ask for: the one object of a module that a WebAssembly component is built of.

    `rules` and `cluster_rules` are what it asks to read of namespaced and of cluster-scoped resources. `settings` is a dataclass of the options that
    an operator may set. `uses` names what it uses beside that: `caller` for `caller()`, `discovery` for `kinds()`, `health` for `health()`.
    """

    def __init__(
        self,
        *,
        rules: Sequence[PolicyRule] = (),
        cluster_rules: Sequence[PolicyRule] = (),
        settings: type | None = None,
        uses: Sequence[Capability] = (),
    ) -> None:
        self.rules = list(rules)
        self.cluster_rules = list(cluster_rules)
        self.settings = settings
        self.uses = frozenset(uses)
        unknown = self.uses - set(get_args(Capability))
        if unknown:
            raise ValueError(f"uses={sorted(unknown)}: the possible ones are {', '.join(get_args(Capability))}")
        self.tools: dict[str, Entry] = {}
        self.prompts: dict[str, Entry] = {}
        self.documents: list[Document] = []

    def tool(self, *, description: str | None = None, title: str | None = None, name: str | None = None) -> Callable[[F], F]:
        """Serves a function as a tool. Its parameters and what it returns are the schemas, its name and docstring the tool's, unless others are given.

        The description is what a model chooses by: what the tool answers, when to use it, how to narrow it.
        """

        def add(function: F) -> F:
            entry = _entry(function, name, title, description, "tool")
            if entry.answer is None or entry.answer in (list, tuple) or get_origin(entry.answer) in (list, tuple):
                raise TypeError(
                    f"{function.__name__} returns {entry.answer!r}: a tool answers a dataclass, a dict, a Page or a text, and says which behind `->`"
                )
            _add(self.tools, entry, "tool")
            return function

        return add

    def prompt(self, *, description: str | None = None, title: str | None = None, name: str | None = None) -> Callable[[F], F]:
        """Serves a function as a prompt: a text, or messages, that a user chooses in their client. Its parameters are texts."""

        def add(function: F) -> F:
            entry = _entry(function, name, title, description, "prompt")
            for parameter in entry.parameters:
                if values.bare(values.without_none(parameter.type)[0]) is not str:
                    raise TypeError(f"the prompt {entry.name} takes `{parameter.name}`, which is no text: those of a prompt are `str` or `str | None`")
            _add(self.prompts, entry, "prompt")
            return function

        return add

    def resource(
        self, uri: str, *, name: str, description: str, title: str | None = None, mime_type: str = "text/plain"
    ) -> Callable[[F], F]:
        """Serves what a function writes under a URI, `sandbar://NAME/...`. With variables in the URI, `runbooks://of/{name}`, the function has
        parameters of their names, and returns None where there is no such document."""

        def add(function: F) -> F:
            if any(each.uri == uri for each in self.documents):
                raise TypeError(f"there is a resource {uri} already")
            self.documents.append(Document(uri, name, title, description, mime_type, function))
            return function

        return add

    def manifest(self) -> dict[str, Any]:
        """What the host and the model read about the component."""
        from . import manifest  # Not inside of a component, where it is a text already.

        return manifest.of(self)

    def call(self, name: str, arguments: str) -> str:
        """Runs a tool on arguments in JSON, as the host does. The answer is the result of an MCP `tools/call` in JSON."""
        tool = self.tools.get(name)
        if tool is None:
            raise ToolError(f"this component has no tool `{name}`")
        return _json(_result(tool.run(json.loads(arguments))))

    def get(self, name: str, arguments: str) -> str:
        """Fills in a prompt, as the host does. The answer is the result of an MCP `prompts/get` in JSON."""
        prompt = self.prompts.get(name)
        if prompt is None:
            raise ToolError(f"this component has no prompt `{name}`")
        answer = prompt.run(json.loads(arguments))
        messages = [Message(answer)] if isinstance(answer, str) else answer
        return _json({"messages": [{"role": each.role, "content": _text(each.text)} for each in messages]})

    def read(self, uri: str) -> str:
        """Reads a resource, as the host does. The answer is the result of an MCP `resources/read` in JSON."""
        # A document of its own goes before what a template makes of its URI.
        for document in sorted(self.documents, key=lambda document: document.is_template):
            variables = document.variables(uri)
            if variables is not None:
                text = document.function(**variables)
                contents = [] if text is None else [{"uri": uri, "mimeType": document.mime_type, "text": text}]
                return _json({"contents": contents})
        raise ToolError(f"this component has no resource `{uri}`")


def _add(entries: dict[str, Entry], entry: Entry, what: str) -> None:
    if entry.name in entries:
        raise TypeError(f"there is a {what} {entry.name} already")
    entries[entry.name] = entry


def _entry(function: Callable[..., Any], name: str | None, title: str | None, description: str | None, what: str) -> Entry:
    hints = get_type_hints(function, include_extras=True)
    name = name or function.__name__
    if inspect.iscoroutinefunction(function):
        raise TypeError(f"{name} is `async`, and the host waits for no other function than a plain one: write `def`")
    parameters = [_parameter(each, hints, name) for each in inspect.signature(function).parameters.values()]
    # One parameter that is a dataclass is all arguments together.
    arguments = values.class_of(parameters[0].type) if len(parameters) == 1 and parameters[0].is_required else None
    if arguments:
        parameters = values.fields_of(arguments)
    for kind in hints.values():
        values.learn(kind)
    text = description if description is not None else function.__doc__
    if not text:
        raise TypeError(f"the {what} {name} has no description: give it one, or a docstring")
    return Entry(name, title, text, function, tuple(parameters), arguments, hints.get("return"))


def _parameter(parameter: inspect.Parameter, hints: Mapping[str, Any], function: str) -> Field:
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise TypeError(f"{function} takes `{parameter}`, and each argument of a tool has a name of its own")
    if parameter.name not in hints:
        raise TypeError(f"{function} does not say what `{parameter.name}` is: annotate it, `{parameter.name}: str` for example")
    default = values.MISSING if parameter.default is parameter.empty else parameter.default
    return Field(parameter.name, hints[parameter.name], default)


def _result(answer: Any) -> dict[str, Any]:
    if isinstance(answer, str):
        return {"content": [_text(answer)]}
    if isinstance(answer, Told):
        return {"content": [_text(answer.text)], "structuredContent": values.write(answer.answer)}
    return {"structuredContent": values.write(answer)}


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
