#!/usr/bin/env bash
# Builds and installs all that the comparison takes, unless it is there, and runs it. COMPARE_QUICK=1 has small numbers and leaves the page
# alone; COMPARE_ONLY=load,start measures these parts again. The binary is $SANDBAR, else the one that is handed out, built for that.
set -euo pipefail
# Before the folder changes, since a relative path is relative to where the caller is.
[[ -z ${SANDBAR:-} ]] || SANDBAR=$(realpath "$SANDBAR")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Each in a statement of its own, since a failure inside an argument would be passed over.
sandbar=${SANDBAR:-$(deploy/binary.sh build)}
control_plane=$(tests/control-plane/build.sh)
peers=$(tests/compare/peers/setup.sh)
mkdir -p target
go build -C tests/compare -buildvcs=false -o "$PWD/target/compare" .
# A backtrace of each error inside wasmtime takes some microseconds of every call; nobody who deploys Sandbar asks for it.
exec env -u RUST_BACKTRACE -u RUST_LIB_BACKTRACE target/compare -sandbar "$sandbar" -control-plane "$control_plane" -peers "$peers" \
  -docs docs/explanation ${COMPARE_QUICK:+-quick} ${COMPARE_ONLY:+-only "$COMPARE_ONLY"}
