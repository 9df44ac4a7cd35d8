#!/usr/bin/env bash
# Builds helm and kubeconform, and prints the folder that they are in. The first time takes some 3 minutes on two cores.
source "$(dirname "${BASH_SOURCE[0]}")/../kept.sh"

make_in() {
  local version
  needs_go
  version=$(awk '$1 == "helm.sh/helm/v4" { print $2 }' go.mod)
  go build -buildvcs=false -trimpath -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=$version" -o "$1/" tool
}

kept helm "" go.mod go.sum
