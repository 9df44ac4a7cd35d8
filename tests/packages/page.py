"""Follows a page: runs its commands in the folder at hand, one after the other, and compares what it shows.

page.py PAGE [README]      README: a file of the folder where the page ends, whose commands all have to be the page's, too

- In a `console` block, a line that begins with `$ ` is a command, and the lines after it are what it prints; where there are none, that is not looked at.
- `…` stands for what is not the same each time: in a line for any text, as a line for any lines.
- A block after the name of a file alone is the text of that file.
- What serves goes on, once it has said that it does, until the page ends.
- AFTER_NEW of the environment is run once `sandbar new` has written a folder, in that: it puts an archive in the place of what a registry would have.
"""

import os
import pathlib
import re
import subprocess
import sys

SERVING = "connect an MCP client to"


def steps(text):
    """What a page has one follow: files with their texts, and commands with what they print."""
    for name, language, block in re.findall(r"(?:^`([\w./-]+)`:\n\n)?^```(\w+)\n(.*?)^```$", text, re.M | re.S):
        if language == "console":
            for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
                command, printed = part.split("\n", 1)
                yield "command", command.split(" #")[0].strip(), printed
        elif name:
            yield "file", name, block


def is_like(shown, printed):
    lines = [r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + r"\n" for line in shown.splitlines()]
    return re.fullmatch("".join(lines), printed.rstrip("\n") + "\n") is not None


def shell(command, **more):
    words = ["bash", "-euo", "pipefail", "-c", command]
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


def ran(command):
    """What a command prints, all of it once it has ended."""
    process = shell(command)
    printed, _ = process.communicate()
    if process.returncode:
        sys.exit(f"`{command}` has ended with {process.returncode}:\n{printed}")
    return printed


def served(command, servers):
    """What a server prints until it serves."""
    # `exec`, so that it is the server that is ended, and not the shell around it.
    servers.append(shell(f"exec {command}"))
    printed = ""
    for line in servers[-1].stdout:
        printed += line
        if SERVING in line:
            return printed
    sys.exit(f"`{command}` does not serve:\n{printed}")


def follow(page, servers):
    for what, name, shown in steps(page):
        if what == "file":
            if not os.path.isfile(name) or pathlib.Path(name).read_text() != shown:
                sys.exit(f"the page shows another {name} than there is")
            continue
        print(f"$ {name}", flush=True)
        if name.startswith("cd "):
            os.chdir(name[3:])
            continue
        printed = served(name, servers) if re.match(r"sandbar (dev|serve)\b", name) else ran(name)
        if shown and not is_like(shown, printed):
            sys.exit(f"`{name}` prints other than the page shows:\n{printed}")
        if name.startswith("sandbar new ") and "AFTER_NEW" in os.environ:
            ran(f"cd {name.split()[2]} && {os.environ['AFTER_NEW']}")


def commands(text):
    return [name for what, name, _ in steps(text) if what == "command"]


def main():
    page, readme = pathlib.Path(sys.argv[1]).absolute(), [pathlib.Path(file) for file in sys.argv[2:]]
    if not commands(page.read_text()):
        sys.exit(f"{page} has no commands")
    servers = []
    try:
        follow(page.read_text(), servers)
    finally:
        for server in servers:
            server.kill()
            server.wait()
    for file in readme:
        if missing := set(commands(file.read_text())) - set(commands(page.read_text())):
            sys.exit(f"{page} does not have all commands of the folder's {file}: {missing}")


main()
