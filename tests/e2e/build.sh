#!/usr/bin/env bash
# Builds what a whole cluster has beside the control plane of the tests - kubelet, kube-controller-manager, kube-scheduler, kube-proxy,
# and the image of the pods' first container - and prints the folder. The first build takes some 4 minutes on two cores.
source "$(dirname "${BASH_SOURCE[0]}")/../kept.sh"

modules=../control-plane

make_in() {
  local kubernetes program
  needs_go
  kubernetes=$(awk '$1 == "k8s.io/kubernetes" { print $2 }' "$modules/go.mod")
  for program in kubelet kube-controller-manager kube-scheduler kube-proxy; do
    (cd "$modules" && go build -buildvcs=false -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$kubernetes" \
      -o "$1/" "k8s.io/kubernetes/cmd/$program")
  done
  (cd pause && CGO_ENABLED=0 go build -buildvcs=false -o "$1/" .)
  "$1/pause" image "$1/pause.tar"
}

kept node "" "$modules/go.mod" "$modules/go.sum" pause/*
