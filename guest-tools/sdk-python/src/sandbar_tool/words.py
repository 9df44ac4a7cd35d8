"""What the source says about fields and parameters, for the model: a comment `#:` on the lines above or behind, or, in a dataclass, a text on the
line below. Plain comments are for people and stay where they are."""

import ast
import functools
import inspect
import io
import textwrap
import tokenize
from collections.abc import Callable
from typing import Any

DOC_COMMENT = "#:"


def about(cls: type) -> str | None:
    """What a class is, from its docstring. The one that dataclasses write themselves says nothing."""
    text = cls.__doc__
    if not text or text.startswith(f"{cls.__name__}("):
        return None
    return unwrapped(text)


@functools.cache
def of_class(cls: type) -> dict[str, str]:
    """What is said about the fields of a dataclass, and of those that it extends. Those of this package say it to authors only."""
    said: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        if each is not object and not each.__module__.startswith("sandbar_tool"):
            said.update(_of_source(each))
    return said


def of_function(function: Callable[..., Any]) -> dict[str, str]:
    """What is said about the parameters of a function."""
    return _of_source(function)


def unwrapped(text: str) -> str:
    """Line breaks of a source file are not a reader's: paragraphs stay, lines are joined."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(" ".join(line.strip() for line in paragraph.splitlines()) for paragraph in paragraphs)


def _of_source(what: type | Callable[..., Any]) -> dict[str, str]:
    try:
        source = textwrap.dedent(inspect.getsource(what))
    except (OSError, TypeError):
        return {}
    (definition,) = ast.parse(source).body
    comments = _comments(source)
    if isinstance(definition, ast.ClassDef):
        return _of_fields(definition, comments)
    if isinstance(definition, ast.FunctionDef):
        parameters = [*definition.args.posonlyargs, *definition.args.args, *definition.args.kwonlyargs]
        return {each.arg: text for each in parameters if (text := _beside(each, comments))}
    return {}


def _of_fields(definition: ast.ClassDef, comments: dict[int, tuple[str, bool]]) -> dict[str, str]:
    said = {}
    for node, below in zip(definition.body, [*definition.body[1:], None]):
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        text = _beside(node, comments)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            text = unwrapped(below.value.value)
        if text:
            said[node.target.id] = text
    return said


def _beside(node: ast.AnnAssign | ast.arg, comments: dict[int, tuple[str, bool]]) -> str:
    """The doc comment behind a field, else the lines of one above."""
    behind = comments.get(node.end_lineno or node.lineno)
    if behind:
        return behind[0]
    lines: list[str] = []
    line = node.lineno - 1
    while line in comments and comments[line][1]:
        lines.insert(0, comments[line][0])
        line -= 1
    return " ".join(lines)


def _comments(source: str) -> dict[int, tuple[str, bool]]:
    """The doc comments by their lines, each with whether it has its line for itself."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: (token.string.removeprefix(DOC_COMMENT).strip(), not token.line[: token.start[1]].strip())
        for token in tokens
        if token.type == tokenize.COMMENT and token.string.startswith(DOC_COMMENT)
    }
