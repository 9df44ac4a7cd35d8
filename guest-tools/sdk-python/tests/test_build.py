"""What is checked before a component is built, and what is written for it."""

from pathlib import Path

import pytest

from sandbar_tool import build

TOOL = """
import sandbar_tool as sandbar

component = sandbar.Component(rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}])


@component.tool()
def count() -> str:
    '''Counts.'''
    return "1"
"""


def test_the_world_is_what_the_component_asks_for(tmp_path: Path) -> None:
    module = tmp_path / "counting.py"
    module.write_text(TOOL)
    assert build.world(build.load(module)) == (
        "package sandbar:guest;\n\nworld sandbar-guest {\n"
        "  import sandbar:tool/context@0.1.0;\n"
        "  import sandbar:tool/logging@0.1.0;\n"
        "  import sandbar:kubernetes/read@0.1.0;\n"
        "  import sandbar:kubernetes/table@0.1.0;\n"
        "  import sandbar:kubernetes/read-many@0.1.0;\n"
        "  export sandbar:tool/tools@0.1.0;\n"
        "}\n"
    )


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("none.py", "x = 1\n", "none.py has to have one Component at its top level, and has none"),
        ("two.py", TOOL + "other = sandbar.Component()\n", "and has component, other"),
        ("empty.py", "import sandbar_tool\nc = sandbar_tool.Component()\n", "serves nothing: put `@c.tool\\(\\)` before a function"),
        ("typed.py", TOOL.replace("-> str", "-> dict[str, bytes]"), "typed.py: <class 'bytes'> has no JSON Schema here: use str,"),
        ("json.py", TOOL, "json.py cannot be imported by that name"),
        ("a-tool.py", TOOL, "a-tool.py cannot be imported by that name"),
        ("tool.txt", TOOL, "is no file of Python"),
    ],
)
def test_a_module_without_a_component_is_refused_in_words(tmp_path: Path, name: str, text: str, words: str) -> None:
    module = tmp_path / name
    module.write_text(text)
    with pytest.raises(build.BuildError, match=words):
        build.load(module)
