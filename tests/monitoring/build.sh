#!/usr/bin/env bash
# Builds promtool and Prometheus, puts the CRDs of Prometheus Operator beside them, and prints the folder that they are in. The first time
# takes some 5 minutes on two cores.
source "$(dirname "${BASH_SOURCE[0]}")/../kept.sh"

# The module that has the CRDs as files, and the digest of its archive. None of it is compiled, so it is not in go.mod.
operator=github.com/prometheus-operator/prometheus-operator@v0.85.0
operator_sum=h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=

make_in() {
  local downloaded crd
  needs_go
  downloaded=$(cd / && go mod download -json "$operator")
  [[ $downloaded == *"\"$operator_sum\""* ]] || fail "$operator is not what it was: $downloaded"
  for crd in servicemonitors prometheusrules; do
    cp "$(sed -n 's/.*"Dir": "\(.*\)".*/\1/p' <<<"$downloaded")/example/prometheus-operator-crd/monitoring.coreos.com_$crd.yaml" \
      "$1/$crd.yaml"
  done
  chmod u+w "$1"/*.yaml
  # Without what finds targets in the clouds, which is the larger part; the tests name theirs.
  go build -buildvcs=false -trimpath -tags remove_all_sd -ldflags "-s -w" -o "$1/" tool
}

kept monitoring "" go.mod go.sum
