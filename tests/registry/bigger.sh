#!/usr/bin/env bash
# Builds what takes minutes: cosign 2 and cosign 3, the registry of distribution, and keyless, which signs by authorities of its own. Prints the
# folder that they are in. The first time takes some 15 minutes on two cores, and 2 GB of disk for Go's own caches.
source "$(dirname "${BASH_SOURCE[0]}")/../kept.sh"

make_in() {
  local version
  needs_go
  for version in 2 3; do
    (cd "cosign-$version" && go build -buildvcs=false -trimpath -ldflags "-s -w" -o "$1/cosign-$version" \
      "github.com/sigstore/cosign/v$version/cmd/cosign")
  done
  (cd distribution && go build -buildvcs=false -o "$1/distribution" .)
  (cd cosign-3 && go build -buildvcs=false -o "$1/keyless" .)
}

kept registry-bigger "" cosign-*/go.mod cosign-*/go.sum cosign-*/*.go distribution/*
