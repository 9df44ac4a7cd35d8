#!/usr/bin/env bash
# Builds the registry, unless it is built already, and prints the folder that it is in: the only line on standard output. It takes seconds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() { echo "registry/build.sh: $1" >&2; exit 1; }

hash() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
# go.sum and go.mod name what is built, to the byte; the rest is ours.
key=$(cat go.mod go.sum build.sh ./*.go | hash | cut -c 1-16)
cache=${SANDBAR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandbar}
folder=$cache/registry-$key

build() {
  local unfinished
  command -v go >/dev/null || fail "go is needed to build a registry for the tests"
  mkdir -p "$cache"
  # Side by side, one of two would build for nothing; where there is no flock, that is all that happens.
  exec 9>"$cache/registry-lock"
  if command -v flock >/dev/null; then flock 9; fi
  if [[ -d $folder ]]; then return; fi

  echo "building a registry for the tests in $folder" >&2
  unfinished=$(mktemp -d "$cache/unfinished.XXXXXX")
  trap "rm -rf '$unfinished'" EXIT
  go build -buildvcs=false -o "$unfinished/registry" . >&2
  [[ -d $folder ]] || mv "$unfinished" "$folder"
}

[[ -d $folder ]] || build
echo "$folder"
