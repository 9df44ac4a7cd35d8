#!/usr/bin/env bash
# Builds promtool and Prometheus, unless they are built already, puts the CRDs of Prometheus Operator beside them, and prints the folder that
# they are in: the only line on standard output. The first time takes some 5 minutes on two cores.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# The module that has the CRDs as files, and the digest of its archive. None of it is compiled, so it is not in go.mod.
operator=github.com/prometheus-operator/prometheus-operator@v0.85.0
operator_sum=h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=

fail() { echo "monitoring/build.sh: $1" >&2; exit 1; }

hash() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
# go.sum, go.mod and this file name what is there, to the byte.
key=$(cat go.mod go.sum build.sh | hash | cut -c 1-16)
cache=${SANDBAR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandbar}
folder=$cache/monitoring-$key

build() {
  local unfinished downloaded crd
  command -v go >/dev/null || fail "go is needed to build promtool"
  mkdir -p "$cache"
  # Side by side, one of two would build for nothing; where there is no flock, that is all that happens.
  exec 9>"$cache/monitoring-lock"
  if command -v flock >/dev/null; then flock 9; fi
  if [[ -d $folder ]]; then return; fi

  echo "building promtool and Prometheus in $folder; the first time takes minutes" >&2
  unfinished=$(mktemp -d "$cache/unfinished.XXXXXX")
  trap "rm -rf '$unfinished'" EXIT
  downloaded=$(cd / && go mod download -json "$operator")
  [[ $downloaded == *"\"$operator_sum\""* ]] || fail "$operator is not what it was: $downloaded"
  for crd in servicemonitors prometheusrules; do
    cp "$(sed -n 's/.*"Dir": "\(.*\)".*/\1/p' <<<"$downloaded")/example/prometheus-operator-crd/monitoring.coreos.com_$crd.yaml" \
      "$unfinished/$crd.yaml"
  done
  chmod u+w "$unfinished"/*.yaml
  # Without what finds targets in the clouds, which is the larger part; the tests name theirs.
  go build -buildvcs=false -trimpath -tags remove_all_sd -ldflags "-s -w" -o "$unfinished/" tool >&2
  [[ -d $folder ]] || mv "$unfinished" "$folder"
}

[[ -d $folder ]] || build
echo "$folder"
