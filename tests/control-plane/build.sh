#!/usr/bin/env bash
# Builds control-plane, kwok and kubectl, unless they are built already, and prints the folder that they are in: the only line on standard
# output. The first build takes some 8 minutes on two cores and 3 GB of disk for Go's own caches; after it, all runs share one folder.
#
# Where KUBEBUILDER_ASSETS is set, kube-apiserver and etcd come from there and are not built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

kubernetes=v1.37.2 # as in go.mod; kubectl refuses to talk to a server without a version
tags=${KUBEBUILDER_ASSETS:+assets}

fail() { echo "control-plane/build.sh: $1" >&2; exit 1; }

hash() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
# go.sum and go.mod name what is built, to the byte; the rest is ours.
key=$({ echo "$tags"; cat go.mod go.sum build.sh ./*.go manifests/*.yaml manifests/*/*.yaml; } | hash | cut -c 1-16)
cache=${SANDBAR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandbar}
folder=$cache/control-plane-$key

build() {
  local wanted have unfinished
  wanted=$(awk '$1 == "go" { print $2 }' go.mod)
  command -v go >/dev/null || fail "Go $wanted or newer is needed to build a cluster for the tests, and there is no go on the PATH"
  # An old Go refuses to say anything inside this module.
  have=$(go env GOVERSION 2>/dev/null || (cd / && go env GOVERSION))
  have=${have#go}
  [[ $(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1) == "$wanted" ]] ||
    fail "Go $wanted or newer is needed to build a cluster for the tests, and this is $have"

  mkdir -p "$cache"
  # Two builds side by side take more than twice as long; where there is no flock, that is all that happens.
  exec 9>"$cache/lock"
  if command -v flock >/dev/null; then flock 9; fi
  if [[ -d $folder ]]; then return; fi

  echo "building a control plane for the tests in $folder; the first time takes minutes" >&2
  unfinished=$(mktemp -d "$cache/unfinished.XXXXXX")
  trap "rm -rf '$unfinished'" EXIT
  go build -buildvcs=false -tags "$tags" -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$kubernetes" \
    -o "$unfinished/" . tool >&2
  [[ -d $folder ]] || mv "$unfinished" "$folder"
}

[[ -d $folder ]] || build
echo "$folder"
