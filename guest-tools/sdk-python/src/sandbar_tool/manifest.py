"""What the host and the model read about a component, in the contract's words. It is written where a component is built."""

from typing import Any

from . import schema, values, words
from .answers import Told
from .component import Component, Document, Entry

# The same for every tool: the contract lets a component read only, and what it reads is other people's words.
ANNOTATIONS = {"readOnlyHint": True, "openWorldHint": True}

# What a rule stands for: these interfaces are imported where a component asks to read something of the kind.
OF_OBJECTS = ("sandbar:kubernetes/read", "sandbar:kubernetes/table", "sandbar:kubernetes/read-many")
OF_LOGS = ("sandbar:kubernetes/logs", "sandbar:kubernetes/logs-many")
OF_USES = {"caller": "sandbar:tool/caller", "discovery": "sandbar:kubernetes/discovery", "health": "sandbar:kubernetes/health"}
LOG = "pods/log"


def of(component: Component) -> dict[str, Any]:
    """The manifest, as JSON."""
    manifest: dict[str, Any] = {"tools": [_tool(tool) for tool in component.tools.values()]}
    rest = {
        "prompts": [_prompt(prompt) for prompt in component.prompts.values()],
        "resources": [_document(each, "uri") for each in component.documents if not each.is_template],
        "resourceTemplates": [_document(each, "uriTemplate") for each in component.documents if each.is_template],
        "rules": component.rules,
        "clusterRules": component.cluster_rules,
        "settings": component.settings and schema.of_settings(component.settings),
    }
    return manifest | {key: value for key, value in rest.items() if value}


def imports(component: Component) -> list[str]:
    """The interfaces that the component imports, which are its request for permission: those that its rules stand for, and those that it uses."""
    asked = {resource for rule in [*component.rules, *component.cluster_rules] for resource in rule["resources"]}
    of_rules = [*(OF_OBJECTS if asked - {LOG} else ()), *(OF_LOGS if LOG in asked else ())]
    return ["sandbar:tool/context", "sandbar:tool/logging", *of_rules, *(OF_USES[use] for use in sorted(component.uses))]


def exports(component: Component) -> list[str]:
    """The interfaces that it serves by."""
    more = [("prompts", component.prompts), ("resources", component.documents)]
    return ["sandbar:tool/tools", *(f"sandbar:tool/{name}" for name, entries in more if entries)]


def _tool(tool: Entry) -> dict[str, Any]:
    answer = tool.answer
    if values.class_of(answer) is Told:
        (answer,) = answer.__args__
    return {
        "name": tool.name,
        **({"title": tool.title} if tool.title else {}),
        "description": words.unwrapped(tool.description),
        "inputSchema": schema.of_arguments(tool.parameters, _said(tool)),
        **({} if answer is str else {"outputSchema": schema.of_answer(answer)}),
        "annotations": ANNOTATIONS,
    }


def _prompt(prompt: Entry) -> dict[str, Any]:
    arguments = schema.of_arguments(prompt.parameters, _said(prompt))
    required = arguments.get("required", [])
    named = [
        {
            "name": name,
            **({"description": argument["description"]} if "description" in argument else {}),
            **({"required": True} if name in required else {}),
        }
        for name, argument in arguments["properties"].items()
    ]
    title = {"title": prompt.title} if prompt.title else {}
    return {"name": prompt.name, **title, "description": words.unwrapped(prompt.description), **({"arguments": named} if named else {})}


def _document(document: Document, key: str) -> dict[str, Any]:
    title = {"title": document.title} if document.title else {}
    about = {"name": document.name, **title, "description": document.description, "mimeType": document.mime_type}
    return {key: document.uri, **about}


def _said(entry: Entry) -> dict[str, str]:
    return words.of_class(entry.arguments) if entry.arguments else words.of_function(entry.function)
