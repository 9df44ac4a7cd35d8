"""Builds a component of a module with componentize-py."""

import importlib
import json
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import as_file, files
from pathlib import Path

from . import manifest
from .component import Component

COMPONENTIZE = "0.25.1"
"""The version of componentize-py that this package was tried with."""

WORLD = "sandbar-guest"
ENTRY = "sandbar_entry"
CONTRACT = "@0.1.0"


class BuildError(Exception):
    """Why there is no component, in words for its author."""


def load(source: Path) -> Component:
    """The component of a module, which is run for that."""
    source = source.resolve()
    if not source.is_file() or source.suffix != ".py":
        raise BuildError(f"{source} is no file of Python")
    if not source.stem.isidentifier() or source.stem in sys.stdlib_module_names or source.stem == ENTRY:
        raise BuildError(f"{source.name} cannot be imported by that name: take another, tool.py for example")
    sys.path.insert(0, str(source.parent))
    module = importlib.import_module(source.stem)
    if Path(module.__file__ or "").resolve() != source:
        raise BuildError(f"`import {source.stem}` has another module, {module.__file__}: call the file something else")
    components = [name for name, value in vars(module).items() if isinstance(value, Component)]
    if len(components) != 1:
        names = ", ".join(components) or "none"
        raise BuildError(f"{source.name} has to have one Component at its top level, and has {names}")
    component: Component = getattr(module, components[0])
    if not (component.tools or component.prompts or component.documents):
        raise BuildError(f"the Component of {source.name} serves nothing: put `@{components[0]}.tool()` before a function")
    try:
        component.manifest()
    except TypeError as error:
        # A type that has no schema. Where in this package that was found is nobody's question.
        raise BuildError(f"{source.name}: {error}") from None
    return component


def world(component: Component) -> str:
    """The WIT world of a component: it imports what the component asks for, and nothing else."""
    lines = [f"  import {name}{CONTRACT};" for name in manifest.imports(component)]
    lines += [f"  export {name}{CONTRACT};" for name in manifest.exports(component)]
    return "\n".join(["package sandbar:guest;", "", f"world {WORLD} {{", *lines, "}", ""])


def build(source: Path, output: Path) -> None:
    """Writes the component of a module. The file is there as a whole or not at all."""
    _check_componentize()
    source = source.resolve()
    component = load(source)
    with tempfile.TemporaryDirectory(prefix="sandbar-tool-") as name:
        folder = Path(name)
        _write_inputs(folder, source, component)
        unfinished = folder / "component.wasm"
        script = "import sys, componentize_py; sys.exit(componentize_py.script())"
        command = [sys.executable, "-c", script, "--quiet", "--wit-path", str(folder / "wit"), "--world", WORLD, "componentize", ENTRY]
        # In this order, a module of the author goes before one of the same name that is installed.
        for path in (folder / "entry", source.parent, Path(__file__).parent.parent):
            command += ["--python-path", str(path)]
        built = subprocess.run([*command, "--output", str(unfinished)], capture_output=True, text=True)
        if built.returncode:
            raise BuildError(f"componentize-py {COMPONENTIZE} has failed:\n{built.stdout}{built.stderr}".rstrip())
        output.parent.mkdir(parents=True, exist_ok=True)
        beside = output.with_name(output.name + ".unfinished")
        shutil.copyfile(unfinished, beside)
        beside.replace(output)


def _write_inputs(folder: Path, source: Path, component: Component) -> None:
    with as_file(files(__package__) / "wit") as contract:
        for package in ("tool", "kubernetes"):
            shutil.copytree(contract / package, folder / "wit/deps" / package)
    (folder / "wit/world.wit").write_text(world(component))
    text = json.dumps(component.manifest(), ensure_ascii=False, separators=(",", ":"))
    name = next(name for name, value in vars(sys.modules[source.stem]).items() if value is component)
    (folder / "entry").mkdir()
    (folder / "entry" / f"{ENTRY}.py").write_text(
        f"import {source.stem} as author\n"
        "from sandbar_tool import guest\n"
        f"Tools, Prompts, Resources = guest.exports(author.{name}, {text!r}, author)\n"
    )


def _check_componentize() -> None:
    try:
        there = version("componentize-py")
    except PackageNotFoundError:
        raise BuildError(f"componentize-py {COMPONENTIZE} is missing: pip install 'sandbar-tool[build]'") from None
    if there != COMPONENTIZE:
        raise BuildError(f"componentize-py is {there}, and this version of sandbar-tool builds with {COMPONENTIZE}: pip install 'sandbar-tool[build]'")
