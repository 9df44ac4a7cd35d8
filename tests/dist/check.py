"""Whether a release is what it should be.

check.py contents TOOLS DIST BINARY VERSION TARGET   what is in the folder DIST, read by what others read it with
check.py install SHELL DIST VERSION TARGET           what DIST's install.sh does, in a shell, with a server on this machine
"""

import contextlib
import functools
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def check(holds, words):
    if not holds:
        sys.exit(f"dist/check.py: {words}")


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, **more)


# Contents.


def contents(tools, dist, binary, version, target):
    tools, dist, name = pathlib.Path(tools), pathlib.Path(dist), f"sandbar-{version}-{target}"
    digest = lambda content: hashlib.sha256(content).hexdigest()
    sums = dict(reversed(line.split("  ")) for line in (dist / "SHA256SUMS").read_text().splitlines())
    files = {path.name: digest(path.read_bytes()) for path in dist.iterdir() if path.name != "SHA256SUMS"}
    check(sums == files, f"SHA256SUMS has {sums}, and the files are {files}")

    with tarfile.open(dist / f"{name}.tar.gz") as archive:
        members = archive.getmembers()
        read = lambda path: archive.extractfile(f"{name}/{path}").read()
        check(digest(read("sandbar")) == digest(pathlib.Path(binary).read_bytes()), "the archive has another binary")
        licences = read("licenses/THIRD-PARTY-LICENSES").decode()
        check(b"complete -F _sandbar" in read("completions/sandbar.bash"), "the completions for bash are none")
        check(read("man/man1/sandbar-serve.1").startswith(b".ie"), "the manual page of `serve` is none")
        check(read("licenses/RUST-LIBRARY-LICENSES.html"), "the licences of Rust's library are empty")
    check([member.name for member in members] == sorted(member.name for member in members), "the archive is not in order")
    check(
        {(member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, "", "")}, "the archive has owners"
    )

    bill(dist / f"{name}.cdx.json", licences, version)
    bundle(tools, dist / f"{name}.mcpb", binary, version)
    server(tools, dist, f"{name}.mcpb", version)
    for archive, folder, inside in [
        ("chart.tgz", "deploy/chart", "sandbar"),
        ("kustomize.tar.gz", "deploy", f"sandbar-{version}-kustomize"),
    ]:
        with tarfile.open(dist / f"sandbar-{version}-{archive}") as packed:
            for member in filter(tarfile.TarInfo.isfile, packed.getmembers()):
                source = ROOT / folder / pathlib.Path(member.name).relative_to(inside)
                check(packed.extractfile(member).read() == source.read_bytes(), f"{member.name} is not {source}")
            wanted = {"chart.tgz": "Chart.yaml", "kustomize.tar.gz": "base/kustomization.yaml"}[archive]
            check(f"{inside}/{wanted}" in packed.getnames(), f"{archive} lacks {wanted}")


def bill(file, licences, version):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(file.read_text()):
        sys.exit(f"{file.name} is no bill of materials: {wrong}")
    read = json.loads(file.read_text())
    check(read["metadata"]["component"]["version"] == version, "the bill of materials is of another version")
    components = {(component["name"], component["version"]): component for component in read["components"]}
    names = {name for name, _ in components}
    # Linked; inside of a tool; QuickJS; what adapts that. And what is not: of tests, of the build, macros.
    check(
        {"wasmtime", "kube", "sandbar-mcp", "sandbar-tool", "explain", "componentize-qjs"} <= names,
        f"the bill of materials lacks some: {names}",
    )
    check(
        not {"sandbar-tests", "jsonschema", "include_dir_macros", "serde_derive", "cc", "wat"} & names,
        f"the bill of materials has too much: {names}",
    )
    for (name, release), component in components.items():
        check(
            "purl" not in component or f"\n{name} {release}: " in licences,
            f"the licence of {name} {release} is not with the binary",
        )
    check("QuickJS-ng" in licences and "Fabrice Bellard" in licences, "the licence of QuickJS is not with the binary")


def bundle(tools, file, binary, version):
    """Validates a bundle, takes its command as an MCP client does, and talks to it."""
    with tempfile.TemporaryDirectory() as folder:
        mcpb = [str(tools / "node"), str(tools / "node_modules/@anthropic-ai/mcpb/dist/cli/cli.js")]
        for words in (["unpack", str(file), folder], ["validate", f"{folder}/manifest.json"]):
            did = run(*mcpb, *words)
            check(did.returncode == 0, f"mcpb {words[0]} has failed: {did.stdout}{did.stderr}")
        server = pathlib.Path(folder, "server/sandbar")
        check(os.access(server, os.X_OK), "the binary in the bundle cannot be run")
        script = """
            import { getMcpConfigForManifest } from "%s/node_modules/@anthropic-ai/mcpb/dist/index.js";
            import { readFileSync } from "node:fs";
            const manifest = JSON.parse(readFileSync(process.argv[1] + "/manifest.json", "utf8"));
            const options = { manifest, extensionPath: process.argv[1], systemDirs: {}, userConfig: { cluster: "demo" }, pathSeparator: "/" };
            console.log(JSON.stringify(await getMcpConfigForManifest(options)));
        """
        resolved = run(str(tools / "node"), "--input-type=module", "--eval", script % tools, "--", folder)
        check(resolved.returncode == 0, f"a client cannot read the bundle: {resolved.stderr}")
        config = json.loads(resolved.stdout)
        check("${" not in resolved.stdout, f"a client does not know all that the bundle wants: {resolved.stdout}")
        told = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}}
        messages = [
            {"id": 1, "method": "initialize", "params": told},
            {"method": "notifications/initialized"},
            {"id": 2, "method": "tools/list"},
        ]
        lines = "".join(json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in messages)
        said = run(config["command"], *config["args"], input=lines, env={**os.environ, **config["env"]})
        answers = {answer.get("id"): answer for answer in map(json.loads, said.stdout.splitlines())}
        check({1, 2} <= answers.keys(), f"the bundle does not answer: {said.stdout}{said.stderr}")
        check(answers[1]["result"]["serverInfo"]["version"] == version, f"the bundle is of another version: {answers[1]}")
        check(
            "find_problems" in {tool["name"] for tool in answers[2]["result"]["tools"]},
            f"the bundle has not the tools: {answers[2]}",
        )
    with zipfile.ZipFile(file) as archive:
        check(archive.read("server/sandbar") == pathlib.Path(binary).read_bytes(), "the bundle has another binary")


def server(tools, dist, bundle, version):
    import jsonschema

    described = json.loads((dist / "server.json").read_text())
    schema = json.loads((tools / "server.schema.json").read_text())
    check(described["$schema"] == schema["$id"], f"server.json is by {described['$schema']}, and the schema is {schema['$id']}")
    jsonschema.validate(described, schema, format_checker=jsonschema.FormatChecker())
    [package] = described["packages"]
    check(
        package["identifier"] == f"https://github.com/example/sandbar/releases/download/v{version}/{bundle}",
        f"server.json names {package}",
    )
    check(
        package["fileSha256"] == hashlib.sha256((dist / bundle).read_bytes()).hexdigest(),
        "server.json has another sum of the bundle",
    )


# Installing.


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def install(shell, dist, version, target):
    dist = pathlib.Path(dist)
    with tempfile.TemporaryDirectory() as folder, served(folder) as address:
        newest, home = pathlib.Path(folder, "releases/latest/download"), pathlib.Path(folder, "home")
        newest.parent.mkdir(parents=True)
        home.mkdir()
        shutil.copytree(dist, newest)
        versions = newest.parents[1] / "download"
        versions.mkdir()
        (versions / f"v{version}").symlink_to(newest)

        def installed(*words, at=f"{address}/releases", script=dist / "install.sh"):
            return run(shell, str(script), *(["--from", at] if at else []), *words, env={**os.environ, "HOME": str(home)})

        def refused(words, did, to):
            check(did.returncode != 0 and words in did.stderr, f"install.sh should say {words!r}: {did.stdout}{did.stderr}")
            check(not list(to.rglob("*")), f"install.sh was refused and left {list(to.rglob('*'))}")

        to = home / ".local/bin"
        for words, place in [((), to), (("--version", version), to), (("--to", str(home / "a b")), home / "a b")]:
            did = installed(*words)
            check(
                did.returncode == 0 and f"sandbar {version}" in did.stdout,
                f"install.sh {words} has failed: {did.stdout}{did.stderr}",
            )
            check([path.name for path in place.iterdir()] == ["sandbar"], f"install.sh leaves {list(place.iterdir())}")
            check(run(str(place / "sandbar"), "--version").stdout == f"sandbar {version}\n", "what was installed is another")
        check("is not in PATH" in did.stdout, f"the folder is not in PATH, and install.sh does not say so: {did.stdout}")

        nowhere = home / "nowhere"
        to = ("--to", str(nowhere))
        refused("cannot be fetched", installed(*to, "--version", "9.9.9"), nowhere)
        refused("fetched over https", installed(*to, at="http://releases.example.com"), nowhere)
        refused("fetched over https", installed(*to, at="file:///etc"), nowhere)
        refused("has no @ in it", installed(*to, at="http://localhost:x@releases.example.com"), nowhere)
        refused("none of --version", installed("--force", "yes"), nowhere)
        refused("has to say where", installed(*to, at=None, script=ROOT / "deploy/install.sh"), nowhere)
        # That of a release knows where it came from.
        check(
            "releases=https://github.com/example/sandbar/releases\n" in (dist / "install.sh").read_text(),
            "install.sh does not know its release",
        )

        sums = newest / "SHA256SUMS"
        whole = sums.read_text()
        sums.write_text(whole.replace(target, "another-machine"))
        refused("has no archive for", installed(*to), nowhere)
        sums.write_text(whole)
        archive = newest / f"sandbar-{version}-{target}.tar.gz"
        damaged = bytearray(archive.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        archive.write_bytes(damaged)
        refused("nothing was installed", installed(*to), nowhere)


{"contents": contents, "install": install}[sys.argv[1]](*sys.argv[2:])
