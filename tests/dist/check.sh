#!/usr/bin/env bash
# Makes a release of the binary SANDBAR (target/debug/sandbar, if it is not set) by deploy/dist.sh, and uses it as those do who get
# it: what reads bundles, bills of materials and server.json reads them, and install.sh installs from a server on this machine.
set -euo pipefail

fail() { echo "dist/check.sh: $1" >&2; exit 1; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
# Before the folder changes, since a relative path is relative to where the caller is.
sandbar=$(realpath "${SANDBAR:-$repository/target/debug/sandbar}")
cd "$here"
git rev-parse HEAD >/dev/null 2>&1 || { echo "dist/check.sh: left out, because a release is of a commit, and this is no repository of git" >&2; exit 0; }
tools=$(./setup.sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { printf '%4d s  %s\n' "$SECONDS" "$1"; }

# Without what is there to debug it, which is most of a debug build.
strip -o "$work/sandbar" "$sandbar"
# As the target of this machine, which is what install.sh looks for, whichever the binary was built for.
target=$("$repository/deploy/binary.sh" target)
version=$("$sandbar" --version | cut -d ' ' -f 2)
# release BINARY FOLDER
release() { SANDBAR=$1 TARGET=$target REPOSITORY=https://github.com/example/sandbar DIST=$2 "$repository/deploy/dist.sh"; }
release "$work/sandbar" "$work/dist"
say "$(find "$work/dist" -type f | wc -l) files"

PYTHONPATH=$tools/python python3 check.py contents "$tools" "$work/dist" "$work/sandbar" "$version" "$target"
say "what it consists of is valid, and the bundle answers"

# The same bytes each time. What is packed is small here, and says what the binary says.
printf '#!/bin/sh\nexec "%s" "$@"\n' "$work/sandbar" >"$work/small"
chmod 700 "$work/small"
release "$work/small" "$work/once"
touch "$work/small" && chmod 755 "$work/small"
(umask 077 && release "$work/small" "$work/again")
cmp "$work/once/SHA256SUMS" "$work/again/SHA256SUMS" || fail "two releases of the same commit differ"
say "a second time it is the same, to the byte"

refused() { # refused WORDS COMMAND...
  local said
  if said=$("${@:2}" 2>&1); then fail "this should have been refused: ${*:2}"; fi
  [[ $said == *"$1"* ]] || fail "it is refused without the words \`$1\`: $said"
}
refused "Cargo.toml has sandbar $version" env SANDBAR="$(type -P true)" TARGET="$target" DIST="$work/none" "$repository/deploy/dist.sh" machine

for shell in dash bash; do
  command -v $shell >/dev/null || continue
  python3 check.py install "$shell" "$work/dist" "$version" "$target"
  say "install.sh, in $shell"
done

"$tools/actionlint" -shellcheck= "$repository"/.github/workflows/*.yml
say "the workflows"
