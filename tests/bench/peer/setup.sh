#!/usr/bin/env bash
# Installs kubernetes-mcp-server, which `make bench` compares answers with, unless it is there already. Prints the path of its program:
# the only line on standard output. Where it cannot be had, one line on standard error says why.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() { echo "$1" >&2; exit 1; }

hash() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
key=$( (cat package.json package-lock.json setup.sh; uname -ms) | hash | cut -c 1-16)
cache=${SANDBAR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandbar}
folder=$cache/peer-$key

install() {
  local unfinished
  command -v npm >/dev/null || fail "npm, which installs it, is not on the PATH"
  mkdir -p "$cache"
  unfinished=$(mktemp -d "$cache/unfinished.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$unfinished'" EXIT
  cp package.json package-lock.json "$unfinished/"
  npm ci --prefix "$unfinished" --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null 2>"$unfinished/words" ||
    fail "npm cannot install it: $(head -n 1 "$unfinished/words")"
  [[ -d $folder ]] || mv "$unfinished" "$folder"
}

[[ -d $folder ]] || install
# There is a package for each kind of machine, and npm leaves out one that is for another.
program=$(find "$folder/node_modules" -path '*/bin/kubernetes-mcp-server-*' -type f | head -n 1)
[[ -n $program ]] || fail "there is none for $(uname -ms)"
echo "$program"
