"""What a component serves, and what it refuses to be."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from sandbar_tool import Component, HostError, Message, Page, Told, ToolError, manifest
from sandbar_tool.testing import Cluster


@dataclass
class Length:
    length: int


def made() -> Component:
    component = Component(rules=[{"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}], uses=["health"])

    @component.tool(description="How long a word is.")
    def measure(word: str) -> Told[Length]:
        if not word:
            raise ToolError("word is required", hint="say one")
        return Told(f'It has "{len(word)}".', Length(len(word)))

    @component.prompt(title="Greet")
    def greet(name: str, title: str = "Hello") -> list[Message]:
        """Greets."""
        return [Message(f"{title} {name}"), Message("And?", role="assistant")]

    @component.resource("words://all", name="all", description="All words.")
    def words() -> str:
        return "sand\nbar"

    @component.resource("words://of/{word}.md", name="one", description="One word.", mime_type="text/markdown")
    def one(word: str) -> str | None:
        return None if word == "none" else f"about {word}"

    @component.resource("words://of/sand.md", name="sand", description="Sand.")
    def sand() -> str:
        return "sand itself"

    return component


def test_the_manifest_names_all_of_it() -> None:
    said = made().manifest()
    assert said["tools"][0]["outputSchema"] == {"type": "object", "properties": {"length": {"type": "integer"}}, "required": ["length"]}
    assert said["tools"][0]["annotations"] == {"readOnlyHint": True, "openWorldHint": True}
    assert said["prompts"] == [
        {"name": "greet", "title": "Greet", "description": "Greets.", "arguments": [{"name": "name", "required": True}, {"name": "title"}]}
    ]
    assert said["resources"][0] == {"uri": "words://all", "name": "all", "description": "All words.", "mimeType": "text/plain"}
    assert [each["uriTemplate"] for each in said["resourceTemplates"]] == ["words://of/{word}.md"]
    assert said["rules"] == [{"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}]
    assert said.keys() == {"tools", "prompts", "resources", "resourceTemplates", "rules"}


def test_a_component_imports_what_it_asks_for() -> None:
    def imports(component: Component) -> list[str]:
        return [name.split("/")[1] for name in manifest.imports(component)]

    assert imports(made()) == ["context", "logging", "logs", "logs-many", "health"]
    nodes = Component(cluster_rules=[{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}], uses=["caller", "discovery"])
    assert imports(nodes) == ["context", "logging", "read", "table", "read-many", "caller", "discovery"]
    assert imports(Component()) == ["context", "logging"]
    assert manifest.exports(Component()) == ["sandbar:tool/tools"]
    assert manifest.exports(made()) == ["sandbar:tool/tools", "sandbar:tool/prompts", "sandbar:tool/resources"]


def test_tools_prompts_and_resources_answer_in_mcps_forms(cluster: Cluster) -> None:
    component = made()
    assert cluster.result(component, "measure", {"word": "sand"}) == {
        "content": [{"type": "text", "text": 'It has "4".'}],
        "structuredContent": {"length": 4},
    }
    assert cluster.prompt(component, "greet", {"name": "Ann"}) == [("user", "Hello Ann"), ("assistant", "And?")]
    assert cluster.resource(component, "words://all") == "sand\nbar"
    assert cluster.resource(component, "words://of/b%20r.md") == "about b r"
    assert cluster.resource(component, "words://of/sand.md") == "sand itself"
    assert json.loads(component.read("words://of/none.md")) == {"contents": []}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda component: component.call("measure", '{"word":""}'), "word is required; say one"),
        (lambda component: component.call("weigh", "{}"), "this component has no tool `weigh`"),
        (lambda component: component.call("measure", "{}"), "the arguments of measure are wrong: `word` is required"),
        (lambda component: component.get("measure", "{}"), "this component has no prompt `measure`"),
        (lambda component: component.read("words://else"), "this component has no resource `words://else`"),
    ],
)
def test_what_cannot_run_says_why(call: Any, words: str) -> None:
    with pytest.raises(ToolError) as error:
        call(made())
    assert str(error.value) == words


def test_an_error_of_the_host_says_how_long_to_wait_and_what_may_help() -> None:
    error = HostError("throttled", "the API server asks to wait", retry_after=1.2)
    assert str(error) == "the API server asks to wait (try again in 2 s)"
    error.hint = "narrow it"
    assert str(error) == "the API server asks to wait; narrow it (try again in 2 s)"


def test_a_function_that_cannot_be_a_tool_is_refused_where_it_is_declared() -> None:
    component = Component()

    async def waits() -> str:
        """Waits."""
        return ""

    def says_nothing() -> str:
        return ""

    def unknown(name) -> str:  # type: ignore[no-untyped-def]
        """Takes anything."""
        return str(name)

    def several(*names: str) -> str:
        """Takes several."""
        return str(names)

    def lists() -> list[str]:
        """Answers a list."""
        return []

    def promises():  # type: ignore[no-untyped-def]
        """Does not say what it answers."""

    for function, words in [
        (waits, "waits is `async`"),
        (says_nothing, "the tool says_nothing has no description"),
        (unknown, "unknown does not say what `name` is"),
        (several, r"several takes `\*names: str`"),
        (lists, r"lists returns list\[str\]"),
        (promises, "promises returns None"),
    ]:
        with pytest.raises(TypeError, match=words):
            component.tool()(function)

    def counts(number: int) -> str:
        """Counts."""
        return str(number)

    with pytest.raises(TypeError, match="the prompt counts takes `number`, which is no text"):
        component.prompt()(counts)
    component.tool()(counts)
    with pytest.raises(TypeError, match="there is a tool counts already"):
        component.tool()(counts)
    with pytest.raises(TypeError, match="there is a resource words://all already"):
        made().resource("words://all", name="all", description="All.")(lambda: "")
    with pytest.raises(ValueError, match="the possible ones are caller, discovery, health"):
        Component(uses=["network"])  # type: ignore[list-item]


def test_a_page_keeps_where_it_goes_on() -> None:
    page = Page([1, 2], "next", 5, ["slow"])
    assert page.map(str) == Page(["1", "2"], "next", 5, ["slow"])
