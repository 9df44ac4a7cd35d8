#!/usr/bin/env bash
# Runs the tests in a whole cluster, with containers. The cluster is
#   - that of E2E_KUBECONFIG, a file, where it is set. E2E_IMAGE names the image, which the cluster has to be able to pull. What is
#     deployed is deleted in the end; where there is something of that name already, nothing is touched.
#   - else one made here, of this machine as its only node, in namespaces of its own: it leaves nothing behind and disturbs nothing. Needs
#     Linux and root. The image is that of E2E_IMAGE_TAR, an OCI archive, else it is built as `make image` does.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

fail() { echo "e2e: $1" >&2; exit 1; }

# needs PROGRAM DEBIAN-PACKAGE
needs() { command -v "$1" >/dev/null || fail "$1 is missing; Debian and Ubuntu have it in the package $2"; }

tests=(cargo test --locked --workspace --test e2e)
E2E_HELM=$(tests/helm/build.sh)/helm
export E2E_HELM

if [[ -n ${E2E_KUBECONFIG:-} ]]; then
  [[ -r $E2E_KUBECONFIG ]] || fail "E2E_KUBECONFIG=$E2E_KUBECONFIG cannot be read"
  [[ -n ${E2E_IMAGE:-} ]] || fail "E2E_IMAGE has to name the image in the cluster of E2E_KUBECONFIG, registry.example.com/sandbar:0.1.0 for example"
  E2E_KUBECONFIG=$(realpath "$E2E_KUBECONFIG")
  needs kubectl kubectl
  E2E_KUBECTL=$(command -v kubectl)
  export E2E_KUBECTL
  kubectl=(kubectl --kubeconfig "$E2E_KUBECONFIG")
  "${kubectl[@]}" version >/dev/null || fail "the cluster of E2E_KUBECONFIG=$E2E_KUBECONFIG does not answer"
  found=$("${kubectl[@]}" get --ignore-not-found --output name namespace/coder-system clusterrole/coder-k8s-mcp \
    namespace/charted clusterrole/tools-sandbar)
  [[ -z $found ]] || fail "the cluster of E2E_KUBECONFIG=$E2E_KUBECONFIG has ${found//$'\n'/, } already, which is what the tests would make and delete"
  trap '"${kubectl[@]}" delete --ignore-not-found --wait=false --kustomize tests/e2e/overlay
    "${kubectl[@]}" delete --ignore-not-found --wait=false namespaces,nodes --selector sandbar.test/faults
    "${kubectl[@]}" delete --ignore-not-found --wait=false apiservice/v1.mcp.sandbar.dev namespace/coder-system namespace/team-a namespace/team-b namespace/charted \
      clusterrole/tools-sandbar clusterrolebinding/tools-sandbar \
      clusterrole/mcp.sandbar.dev:sandbar:caller clusterrolebinding/ann-calls clusterrolebinding/bob-calls \
      --namespace kube-system rolebinding/coder-k8s-mcp-extension-apiserver-authentication-reader' EXIT
  "${tests[@]}" -- --ignored --nocapture --test-threads 1
  exit
fi

[[ $(uname -s) == Linux ]] || fail "a cluster is made on Linux only, and this is $(uname -s); E2E_KUBECONFIG names another"
[[ $(id -u) == 0 ]] || fail "only root can make a cluster here; E2E_KUBECONFIG names another"
needs containerd containerd
needs runc runc
needs unshare util-linux
needs ip iproute2
needs iptables iptables
needs conntrack conntrack
[[ -x /usr/lib/cni/bridge ]] || fail "/usr/lib/cni/bridge is missing; Debian and Ubuntu have it in the package containernetworking-plugins"
pods=$(find /sys/fs/cgroup -path '*/kubepods*' -name cgroup.procs -exec cat {} + | head -n 1)
[[ -z $pods ]] || fail "this machine is a node already, with process $pods in a pod; E2E_KUBECONFIG names its cluster"

E2E_PROGRAMS=$(tests/e2e/build.sh)
E2E_KUBECTL=$(tests/control-plane/build.sh)/kubectl
export E2E_PROGRAMS E2E_KUBECTL
if [[ -z ${E2E_IMAGE_TAR:-} ]]; then
  E2E_IMAGE_TAR=$PWD/target/e2e-image.tar
  SANDBAR="" deploy/image.sh sandbar:0.1.0 "$E2E_IMAGE_TAR"
fi
[[ -r $E2E_IMAGE_TAR ]] || fail "E2E_IMAGE_TAR=$E2E_IMAGE_TAR cannot be read"
E2E_IMAGE_TAR=$(realpath "$E2E_IMAGE_TAR")
export E2E_IMAGE_TAR

# What needs the network, before there is none.
tests/clients/setup.sh >/dev/null
tests/registry/build.sh >/dev/null
E2E_COSIGN=$(tests/registry/bigger.sh)/cosign-3
export E2E_COSIGN
cargo fetch --locked
"${tests[@]}" --no-run
cargo build --locked --workspace

# The cgroups and the files are all that outlives the namespaces.
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/sandbar-e2e.XXXXXX")
export TMPDIR
clean() {
  local status=$?
  find /sys/fs/cgroup -depth -type d -path '*/kubepods*' -exec rmdir {} + 2>/dev/null || true
  if [[ $status == 0 ]]; then rm -rf "$TMPDIR"; else echo "e2e: the logs of the cluster are in $TMPDIR" >&2; fi
}
trap clean EXIT
unshare --mount --net --pid --fork --mount-proc --kill-child \
  env E2E_ISOLATED=1 CARGO_NET_OFFLINE=true "${tests[@]}" --offline -- --ignored --nocapture --test-threads 1
