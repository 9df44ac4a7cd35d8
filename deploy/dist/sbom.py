"""Writes what is linked into the binary as a bill of materials in CycloneDX JSON: sbom.py TARGET > FILE

The same source gives the same bytes: the time is SOURCE_DATE_EPOCH, and the serial number follows from what is inside.
"""

import datetime
import json
import os
import sys
import uuid

from linked import ADAPTER, ROOT, Workspace, binary


def component(crate):
    entry = {
        "type": "library",
        "bom-ref": crate.purl,
        "name": crate.name,
        "version": crate.version,
        # Older manifests have a slash for OR, which is no SPDX expression.
        "licenses": [{"expression": crate.licence.replace("/", " OR ")}],
    }
    # What lies in this repository is in no registry, so nothing there may be taken for it.
    if not crate.folder.is_relative_to(ROOT):
        entry["purl"] = crate.purl
    if crate.checksum:
        entry["hashes"] = [{"alg": "SHA-256", "content": crate.checksum}]
    if crate.repository:
        entry["externalReferences"] = [{"type": "vcs", "url": crate.repository}]
    if crate.parts:
        entry["components"] = [part(crate, inside) for inside in crate.parts]
    return entry


def part(crate, inside):
    """What a crate says that it has inside. A reference is unique in the whole bill, and a crate can be in it elsewhere, too."""
    return {
        "type": "library",
        "bom-ref": f"{crate.purl}#{inside['name']}@{inside['version']}",
        "name": inside["name"],
        "version": inside["version"],
        "purl": f"pkg:cargo/{inside['name']}@{inside['version'].replace('+', '%2B')}",
    }


def main(target):
    crates, edges = Workspace().linked(target)
    package = binary()
    key_of_binary = (package["name"], package["version"])
    described = {key: component(crate) for key, crate in crates.items()}
    application = {**described.pop(key_of_binary), "type": "application", "description": package["description"]}
    tools = [key for key, crate in crates.items() if crate.folder.is_relative_to(ROOT / "guest-tools") and key[0] != "sandbar-tool"]
    # The tools and what scripts run in are inside the binary, and linked with nothing of it: as cargo has it, they are no
    # dependencies.
    inside = tools + [key for key in crates if key not in edges or key[0] == ADAPTER]
    references = lambda keys: sorted(crates[key].purl for key in keys)
    bill = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": "",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.UTC).strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            ),
            "component": application,
            "properties": [{"name": "sandbar:target", "value": target}],
        },
        "components": list(described.values()),
        "dependencies": [
            {"ref": crate.purl, "dependsOn": references(set(edges.get(key, [])) | (set(inside) if key == key_of_binary else set()))}
            for key, crate in crates.items()
        ],
    }
    bill["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(bill)).urn
    print(json.dumps(bill, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
