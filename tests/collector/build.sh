#!/usr/bin/env bash
# Builds the OpenTelemetry Collector, unless it is built already, and prints the folder that it is in: the only line on standard output. The
# first time takes some 2 minutes on two cores.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() { echo "collector/build.sh: $1" >&2; exit 1; }

hash() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
# go.sum and go.mod name what is built, to the byte; the rest is ours.
key=$(cat go.mod go.sum build.sh ./*.go | hash | cut -c 1-16)
cache=${SANDBAR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandbar}
folder=$cache/collector-$key

build() {
  local unfinished
  command -v go >/dev/null || fail "go is needed to build a collector for the tests"
  mkdir -p "$cache"
  # Side by side, one of two would build for nothing; where there is no flock, that is all that happens.
  exec 9>"$cache/collector-lock"
  if command -v flock >/dev/null; then flock 9; fi
  if [[ -d $folder ]]; then return; fi

  echo "building the OpenTelemetry Collector in $folder; the first time takes minutes" >&2
  unfinished=$(mktemp -d "$cache/unfinished.XXXXXX")
  trap "rm -rf '$unfinished'" EXIT
  go build -buildvcs=false -trimpath -ldflags "-s -w" -o "$unfinished/collector" . >&2
  [[ -d $folder ]] || mv "$unfinished" "$folder"
}

[[ -d $folder ]] || build
echo "$folder"
