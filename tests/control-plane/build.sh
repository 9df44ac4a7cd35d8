#!/usr/bin/env bash
# Builds control-plane, kwok and kubectl, and prints the folder that they are in. The first build takes some 8 minutes on two cores and 3 GB
# of disk for Go's own caches.
#
# Where KUBEBUILDER_ASSETS is set, kube-apiserver and etcd come from there and are not built.
source "$(dirname "${BASH_SOURCE[0]}")/../kept.sh"

kubernetes=v1.37.2 # as in go.mod; kubectl refuses to talk to a server without a version
tags=${KUBEBUILDER_ASSETS:+assets}

make_in() {
  local wanted have
  needs_go
  wanted=$(awk '$1 == "go" { print $2 }' go.mod)
  # An old Go refuses to say anything inside this module.
  have=$(go env GOVERSION 2>/dev/null || (cd / && go env GOVERSION))
  have=${have#go}
  [[ $(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1) == "$wanted" ]] ||
    fail "Go $wanted or newer is needed to build a cluster for the tests, and this is $have"
  go build -buildvcs=false -tags "$tags" -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$kubernetes" -o "$1/" . tool
}

kept control-plane "$tags" go.mod go.sum ./*.go manifests/*.yaml manifests/*/*.yaml
