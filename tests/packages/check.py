"""Whether a component is what it should be.

check.py manifest SANDBAR COMPONENT FILE                         what is read about it is what the file has
check.py calls SANDBAR FOLDER COMPONENT TOOL LANGUAGE CASES      it answers to the cases of a file through a server of the demo cluster, with the FOLDER's
                                                                 sandbar.yaml, which names the component
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request

VERSION = "2026-07-28"
NOTICE = "_untrusted"


def inspected(sandbar, component):
    """What the host reads about a component. It compiles it, too, which a server then finds in the cache."""
    run = subprocess.run([sandbar, "inspect", component, "-o", "json"], capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{component} cannot be loaded: {run.stderr.strip()}")
    return json.loads(run.stdout)


def check_manifest(sandbar, component, file):
    about = inspected(sandbar, component)
    asked = {"tools": about["tools"], "rules": about["asked"]["rules"], "settings": about["settings"]}
    for key, value in json.loads(pathlib.Path(file).read_text()).items():
        if asked[key] != value:
            sys.exit(f"`{key}` of the component is other than in {file}:\n{json.dumps(asked[key], indent=2)}")


class Server:
    """A server of the demo cluster with a component, as long as the block runs."""

    def __init__(self, sandbar, config):
        command = [sandbar, "serve", "--cluster", "demo", "--config", config, "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)

    def __enter__(self):
        self.said = []
        for line in self.process.stderr:
            self.said.append(line)
            if found := re.search(r"connect an MCP client to (http\S+)", line):
                self.address = found[1]
                # What it says later: the pipe must not fill up, and a case may wait for it.
                self.reader = threading.Thread(target=self.said.extend, args=[self.process.stderr])
                self.reader.start()
                return self
        sys.exit("the server has not started:\n" + "".join(self.said))

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.reader.join()

    def call(self, tool, arguments):
        meta = {"protocolVersion": VERSION, "clientCapabilities": {}, "clientInfo": {"name": "tests", "version": "1"}}
        meta = {f"io.modelcontextprotocol/{key}": value for key, value in meta.items()}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments, "_meta": meta}}
        headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": VERSION,
            "mcp-method": "tools/call",
            "mcp-name": tool,
        }
        request = urllib.request.Request(self.address, json.dumps(message).encode(), headers)
        try:
            with urllib.request.urlopen(request) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            return json.load(error)


def check_case(server, tool, language, case):
    """What a call has answered, if that is not what the case says."""
    message = server.call(tool, case["arguments"])
    said = json.dumps(message, ensure_ascii=False)
    result = message.get("result", message)
    text = without_columns("".join(block["text"] for block in result.get("content", [])[-1:]))
    if "shorter" in case:
        return None if result.get("isError") and len(text) < case["shorter"] else said
    if "error" in case:
        return None if result.get("isError") and text == in_language(case["error"], language) else said
    answer = result.get("structuredContent", {})
    return None if answer.pop(NOTICE, None) and answer == case["answer"] else said


def without_columns(text):
    """A text with its stacks, whose columns are those of the engine: of a call, it names the end."""
    return re.sub(r"(\.js:\d+):\d+", r"\1:N", text)


def in_language(words, language):
    return words if isinstance(words, str) else words[language]


def check_calls(sandbar, folder, component, tool, language, cases):
    inspected(sandbar, component)
    cases = [case for case in json.loads(pathlib.Path(cases).read_text()) if language not in case.get("not in", [])]
    with Server(sandbar, os.path.join(folder, "sandbar.yaml")) as server:
        for case in cases:
            if other := check_case(server, tool, language, case):
                sys.exit(f"{case['what']}: the tool has answered {other}")
    # All of it is there once the server has ended.
    log = without_columns("".join(server.said))
    for case in cases:
        if "logged" in case and in_language(case["logged"], language) not in log:
            sys.exit(f"{case['what']}: the log does not have {in_language(case['logged'], language)!r}:\n{log}")
    print(f"{os.path.basename(component)}: {len(cases)} calls answer as they should")


{"manifest": check_manifest, "calls": check_calls}[sys.argv[1]](*sys.argv[2:])
