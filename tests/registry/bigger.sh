#!/usr/bin/env bash
# Builds what takes minutes, unless it is built already: cosign 2 and cosign 3, the registry of distribution, and keyless, which signs by
# authorities of its own. Prints the folder that they are in: the only line on standard output. The first time takes some 15 minutes on two
# cores, and 2 GB of disk for Go's own caches.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() { echo "registry/bigger.sh: $1" >&2; exit 1; }

hash() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
# go.sum and go.mod name what is built, to the byte.
key=$(cat bigger.sh cosign-*/go.mod cosign-*/go.sum cosign-*/*.go distribution/* | hash | cut -c 1-16)
cache=${SANDBAR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandbar}
folder=$cache/registry-bigger-$key

build() {
  local unfinished version
  command -v go >/dev/null || fail "go is needed to build cosign and a registry"
  mkdir -p "$cache"
  # Side by side, one of two would build for nothing; where there is no flock, that is all that happens.
  exec 9>"$cache/registry-lock"
  if command -v flock >/dev/null; then flock 9; fi
  if [[ -d $folder ]]; then return; fi

  echo "building cosign and a registry in $folder; the first time takes minutes" >&2
  unfinished=$(mktemp -d "$cache/unfinished.XXXXXX")
  trap "rm -rf '$unfinished'" EXIT
  for version in 2 3; do
    (cd "cosign-$version" && go build -buildvcs=false -trimpath -ldflags "-s -w" -o "$unfinished/cosign-$version" \
      "github.com/sigstore/cosign/v$version/cmd/cosign") >&2
  done
  (cd distribution && go build -buildvcs=false -o "$unfinished/distribution" .) >&2
  (cd cosign-3 && go build -buildvcs=false -o "$unfinished/keyless" .) >&2
  [[ -d $folder ]] || mv "$unfinished" "$folder"
}

[[ -d $folder ]] || build
echo "$folder"
