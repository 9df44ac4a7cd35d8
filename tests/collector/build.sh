#!/usr/bin/env bash
# Builds the OpenTelemetry Collector, and prints the folder that it is in. The first time takes some 2 minutes on two cores.
source "$(dirname "${BASH_SOURCE[0]}")/../kept.sh"

make_in() {
  needs_go
  go build -buildvcs=false -trimpath -ldflags "-s -w" -o "$1/collector" .
}

kept collector "" go.mod go.sum ./*.go
