"""What is linked into the binary for a target: crates of the host, those of the tools inside it, and the engine of scripts.

All of it is known to cargo without a network, once it has fetched what the workspace is built of.
"""

import json
import os
import pathlib
import re
import subprocess
import tomllib
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What the bundled tools are compiled for, by host/catalog/build/main.rs.
GUEST = "wasm32-unknown-unknown"

# A dependency of the build that is in the binary all the same: it adapts the engine of scripts to what a component imports.
ADAPTER = "wasi-preview1-component-adapter-provider"


@dataclass(frozen=True)
class Crate:
    """A package as it was linked."""

    name: str
    version: str
    licence: str  # an SPDX expression
    folder: pathlib.Path
    repository: str | None
    authors: tuple[str, ...]
    checksum: str | None  # SHA-256 of the registry's archive; None for what lies in this repository
    parts: tuple[dict, ...] = field(default=(), hash=False)  # components inside that it names itself, as CycloneDX has them

    @property
    def purl(self):
        return f"pkg:cargo/{self.name}@{self.version}"


def cargo(*words):
    run = subprocess.run(["cargo", *words], cwd=ROOT, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f"deploy/dist: cargo {' '.join(words[:2])} has failed: {run.stderr.strip()}")
    return run.stdout


def binary():
    """The package of the binary, as its manifest describes it: for whoever needs to know nothing of the others."""
    packages = json.loads(cargo("metadata", "--offline", "--locked", "--no-deps", "--format-version", "1"))["packages"]
    return next(package for package in packages if package["name"] == "sandbar")


class Workspace:
    """What cargo says of the workspace: names, versions, and what depends on what."""

    def __init__(self):
        self.metadata = json.loads(cargo("metadata", "--offline", "--locked", "--format-version", "1"))
        self.packages = {(package["name"], package["version"]): package for package in self.metadata["packages"]}
        lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
        self.checksums = {(entry["name"], entry["version"]): entry.get("checksum") for entry in lock["package"]}

    def linked(self, target):
        """The crates in the binary for `target`, by name, and of each the names and versions of those it is linked with."""
        keys = self._tree(["sandbar"], target) | self._tree(self._tools(), GUEST)
        keys |= {key for key in self.packages if key[0] == ADAPTER}
        crates = {key: self._crate(self.packages[key]) for key in keys}
        engine = engine_of_scripts()
        crates[engine.name, engine.version] = engine
        return dict(sorted(crates.items())), self._edges(keys)

    def _tools(self):
        folders = (ROOT / "guest-tools").resolve()
        manifests = ((package["name"], pathlib.Path(package["manifest_path"])) for package in self.metadata["packages"])
        return sorted(name for name, manifest in manifests if len(manifest.parents) > 3 and manifest.parents[2] == folders)

    def _tree(self, packages, target):
        """What is linked, by the features that a build of these packages alone has: macros run in the compiler, and are not."""
        chosen = [word for package in packages for word in ("--package", package)]
        how = ["--target", target, "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"]
        lines = cargo("tree", "--offline", "--locked", *chosen, *how).splitlines()
        return {(words[0], words[1].removeprefix("v")) for words in map(str.split, lines) if words}

    def _crate(self, package):
        key = (package["name"], package["version"])
        return Crate(
            *key,
            licence=package["license"] or "",
            folder=pathlib.Path(package["manifest_path"]).parent,
            repository=package["repository"],
            authors=tuple(package["authors"]),
            checksum=self.checksums.get(key),
        )

    def _edges(self, keys):
        of_id = {package["id"]: key for key, package in self.packages.items()}
        edges = {}
        for node in self.metadata["resolve"]["nodes"]:
            key = of_id[node["id"]]
            normal = (of_id[dep["pkg"]] for dep in node["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"]))
            if key in keys:
                edges[key] = sorted(other for other in normal if other in keys)
        return edges


def engine_of_scripts():
    """The crate that the build takes QuickJS from, which no manifest names."""
    build = (ROOT / "host/catalog/build/main.rs").read_text()
    constant = lambda name: re.search(rf'^const {name}: &str = "([^"]*)";', build, re.MULTILINE)[1]
    name, version, file = constant("ENGINE"), constant("ENGINE_VERSION"), constant("ENGINE_FILE")
    home = pathlib.Path(os.environ.get("CARGO_HOME") or pathlib.Path.home() / ".cargo")
    found = sorted(home.glob(f"registry/src/*/{name}-{version}"))
    if not found:
        raise SystemExit(
            f"deploy/dist: {name} {version} is not in {home}/registry/src, where the build brings it: build Sandbar first"
        )
    manifest = tomllib.loads((found[0] / "Cargo.toml").read_text())["package"]
    inside = json.loads((found[0] / f"{file}.cdx.json").read_text())["components"]
    return Crate(
        name,
        version,
        manifest["license"],
        found[0],
        manifest.get("repository"),
        tuple(manifest.get("authors", ())),
        None,
        tuple(inside),
    )
