"""What MCP clients and registries read about Sandbar.

registry.py manifest TARGET            the manifest.json of an MCP bundle for a target: `sandbar connect`, which is a server itself there
registry.py server REPOSITORY FOLDER   the server.json of a release of REPOSITORY, https://github.com/OWNER/NAME, with the bundles in
                                       FOLDER
"""

import hashlib
import json
import pathlib
import re
import sys

from linked import binary

SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
PLATFORMS = {"linux": "linux", "apple": "darwin"}


def manifest(target):
    package = binary()
    return {
        "manifest_version": "0.3",
        "name": package["name"],
        "display_name": "Sandbar",
        "version": package["version"],
        "description": package["description"],
        "author": {"name": "The authors of Sandbar"},
        "license": package["license"],
        "keywords": ["kubernetes", "coder", "wasm", "sandbox"],
        "server": {
            "type": "binary",
            "entry_point": "server/sandbar",
            "mcp_config": {
                "command": "${__dirname}/server/sandbar",
                "args": ["connect", "--cluster", "${user_config.cluster}", "--packs", "${user_config.packs}"],
                "env": {},
            },
        },
        # Which tools there are depends on the packs.
        "tools_generated": True,
        "compatibility": {"platforms": [platform for word, platform in PLATFORMS.items() if word in target.split("-")]},
        "user_config": {
            "cluster": {
                "type": "string",
                "title": "Cluster",
                "description": "`kubeconfig` for the current context of your kubeconfig, `kubeconfig:NAME` for another, "
                "`snapshot:FOLDER` for an unpacked support bundle, or `demo`",
                "default": "kubeconfig",
            },
            "packs": {
                "type": "string",
                "title": "Packs",
                "description": "Which tools: `kubernetes`, `coder`, several with commas between them, or `auto` for those that the "
                "cluster has something for",
                "default": "auto",
            },
        },
    }


def server(repository, folder):
    package = binary()
    found = re.fullmatch(r"https://github\.com/([A-Za-z0-9-]+)/([A-Za-z0-9._-]+)", repository)
    if not found:
        raise SystemExit(
            f"deploy/dist: REPOSITORY is {repository!r}, and has to be https://github.com/OWNER/NAME: the registry knows its owner"
        )
    bundles = sorted(pathlib.Path(folder).glob("*.mcpb"))
    return {
        "$schema": SCHEMA,
        # The registry lets whoever can publish from the owner's repositories use this name.
        "name": f"io.github.{found[1]}/{package['name']}",
        "title": "Sandbar",
        "description": package["description"],
        "version": package["version"],
        "repository": {"url": repository, "source": "github"},
        # Not the image: without kubectl's login plugins and whoever signs certificates it is no server for a laptop.
        "packages": [
            {
                "registryType": "mcpb",
                "identifier": f"{repository}/releases/download/v{package['version']}/{bundle.name}",
                "fileSha256": hashlib.sha256(bundle.read_bytes()).hexdigest(),
                "transport": {"type": "stdio"},
            }
            for bundle in bundles
        ],
    }


written = {"manifest": manifest, "server": server}[sys.argv[1]](*sys.argv[2:])
print(json.dumps(written, indent=2, ensure_ascii=False))
