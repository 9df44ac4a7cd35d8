#!/usr/bin/env bash
# Builds helm, unless it is built already, and prints the folder that it is in: the only line on standard output. The first time takes some
# 3 minutes on two cores.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() { echo "helm/build.sh: $1" >&2; exit 1; }

hash() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
# go.sum and go.mod name what is built, to the byte.
key=$(cat go.mod go.sum build.sh | hash | cut -c 1-16)
cache=${SANDBAR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandbar}
folder=$cache/helm-$key

build() {
  local unfinished version
  command -v go >/dev/null || fail "go is needed to build helm"
  mkdir -p "$cache"
  # Side by side, one of two would build for nothing; where there is no flock, that is all that happens.
  exec 9>"$cache/helm-lock"
  if command -v flock >/dev/null; then flock 9; fi
  if [[ -d $folder ]]; then return; fi

  echo "building helm in $folder; the first time takes minutes" >&2
  unfinished=$(mktemp -d "$cache/unfinished.XXXXXX")
  trap "rm -rf '$unfinished'" EXIT
  version=$(awk '$1 == "helm.sh/helm/v4" { print $2 }' go.mod)
  go build -buildvcs=false -trimpath -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=$version" -o "$unfinished/" tool >&2
  [[ -d $folder ]] || mv "$unfinished" "$folder"
}

[[ -d $folder ]] || build
echo "$folder"
