"""Writes the licences of what is linked into the binary: licences.py TARGET > THIRD-PARTY-LICENSES

A table of all of it first, then each text once, with the packages that it came with. What the package of a crate has not brought along
is the common text of its licence, with the crate's authors as it names them.
"""

import collections
import re
import sys

from linked import ROOT, Workspace

# How a file that is a licence, or has to be passed on with one, begins; and those that lie deeper, beside the code of others that
# is compiled with the crate.
NAMES = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)([-._].*)?$", re.IGNORECASE)
DEEPER = {
    "regex-syntax": ["src/unicode_tables/LICENSE-UNICODE"],
    "ring": ["src/polyfill/once_cell/LICENSE-MIT", "third_party/fiat/LICENSE"],
    "tikv-jemalloc-sys": ["jemalloc/COPYING"],
    "tracing-core": ["src/spin/LICENSE"],
    "zstd-sys": ["zstd/LICENSE"],
}

NOTICES = ROOT / "deploy/dist/notices"
RULE = "=" * 100


def texts(crate):
    """The licences that the package has inside."""
    found = sorted(path for path in crate.folder.iterdir() if path.is_file() and NAMES.match(path.name))
    found += [crate.folder / path for path in DEEPER.get(crate.name, [])]
    return [path.read_text(errors="replace") for path in found]


def common(crate):
    """The text of the first licence that the crate offers and whose text is here, for a crate that has none inside."""
    for licence in crate.licence.split(" OR "):
        if licence.startswith("Apache-2.0"):
            exception = "With the LLVM exception to the Apache License, whose text stands with wasmtime in this file.\n\n"
            return (exception if "LLVM-exception" in licence else "") + (ROOT / "LICENSE").read_text()
        if licence == "MIT":
            mit = (NOTICES / "musl.txt").read_text()
            return f"Copyright (c) {', '.join(crate.authors)}\n\n{mit[mit.index('Permission'):]}"
    raise SystemExit(
        f"deploy/dist: {crate.name} {crate.version} has no licence inside, and `{crate.licence}` has no common text here"
    )


def plain(text):
    """What makes two copies of a text the same."""
    return " ".join(text.split())


def main(target):
    crates, _ = Workspace().linked(target)
    of_others = [crate for crate in crates.values() if not crate.folder.is_relative_to(ROOT)]
    users, written = collections.defaultdict(list), {}
    for crate in of_others:
        for text in texts(crate) or [common(crate)]:
            written.setdefault(plain(text), text)
            users[plain(text)].append(f"{crate.name} {crate.version}")

    print(f"What is linked into Sandbar for {target}, beside what is Sandbar's own, and under which licence. The texts follow.\n")
    for crate in of_others:
        print(f"{crate.name} {crate.version}: {crate.licence}")
        for part in crate.parts:
            print(f"    has inside: {part['name']} {part['version']}")
    print("The standard library of Rust: MIT OR Apache-2.0; what it is made of is in RUST-LIBRARY-LICENSES.html")
    notices = sorted(path for path in NOTICES.iterdir() if path.stem != "musl" or target.endswith("-musl"))
    for notice in notices:
        print(notice.read_text().split(",")[0] + ": MIT")

    for notice in notices:
        print(f"\n{RULE}\n{notice.read_text()}")
    for text, packages in sorted(users.items(), key=lambda entry: (-len(entry[1]), entry[1])):
        print(f"\n{RULE}\n{', '.join(dict.fromkeys(packages))}\n{RULE}\n\n{written[text].strip()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
