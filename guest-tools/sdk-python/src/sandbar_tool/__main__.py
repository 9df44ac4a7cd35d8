"""The command `sandbar-tool`, also `python -m sandbar_tool`."""

import argparse
import json
import sys
import traceback
from pathlib import Path

from .build import BuildError, build, load, world


def main() -> int:
    """Runs the command, and returns its exit status."""
    parser = argparse.ArgumentParser(prog="sandbar-tool", description="Builds tools for Sandbar of modules in Python.")
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build", help="build a component")
    building.add_argument("module", type=Path, help="the file with the Component: tool.py")
    building.add_argument("-o", "--output", type=Path, help="the file to write: MODULE.wasm if it is not given")
    for name, words in (("manifest", "print what the host and the model read"), ("world", "print what the component imports and exports")):
        commands.add_parser(name, help=words).add_argument("module", type=Path)
    arguments = parser.parse_args()
    try:
        if arguments.command == "build":
            build(arguments.module, arguments.output or arguments.module.with_suffix(".wasm"))
        elif arguments.command == "manifest":
            print(json.dumps(load(arguments.module).manifest(), indent=2, ensure_ascii=False))
        else:
            print(world(load(arguments.module)), end="")
    except BuildError as error:
        print(f"sandbar-tool: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        # The module is the author's, and so is the traceback.
        traceback.print_exception(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
