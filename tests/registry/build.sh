#!/usr/bin/env bash
# Builds the registry, and prints the folder that it is in. It takes seconds.
source "$(dirname "${BASH_SOURCE[0]}")/../kept.sh"

make_in() {
  needs_go
  go build -buildvcs=false -o "$1/registry" .
}

kept registry "" go.mod go.sum ./*.go
