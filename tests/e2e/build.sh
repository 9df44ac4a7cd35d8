#!/usr/bin/env bash
# Builds what a whole cluster has beside the control plane of the tests - kubelet, kube-controller-manager, kube-scheduler, kube-proxy,
# and the image of the pods' first container - unless it is there already, and prints the folder: the only line on standard output. The
# first build takes some 4 minutes on two cores.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../control-plane"

kubernetes=$(awk '$1 == "k8s.io/kubernetes" { print $2 }' go.mod)

hash() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
key=$(cat go.mod go.sum ../e2e/build.sh ../e2e/pause/* | hash | cut -c 1-16)
cache=${SANDBAR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandbar}
folder=$cache/node-$key

build() {
  local unfinished program
  mkdir -p "$cache"
  # Two builds side by side take more than twice as long; where there is no flock, that is all that happens.
  exec 9>"$cache/lock"
  if command -v flock >/dev/null; then flock 9; fi
  if [[ -d $folder ]]; then return; fi

  echo "building the programs of a node in $folder; the first time takes minutes" >&2
  unfinished=$(mktemp -d "$cache/unfinished.XXXXXX")
  trap "rm -rf '$unfinished'" EXIT
  for program in kubelet kube-controller-manager kube-scheduler kube-proxy; do
    go build -buildvcs=false -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$kubernetes" \
      -o "$unfinished/" "k8s.io/kubernetes/cmd/$program" >&2
  done
  (cd ../e2e/pause && CGO_ENABLED=0 go build -buildvcs=false -o "$unfinished/" . >&2)
  "$unfinished/pause" image "$unfinished/pause.tar"
  mv "$unfinished" "$folder"
}

[[ -d $folder ]] || build
echo "$folder"
