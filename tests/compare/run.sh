#!/usr/bin/env bash
# Builds and installs all that the comparison takes, unless it is there, and runs it. COMPARE_QUICK=1 has small numbers and leaves the page
# alone; COMPARE_ONLY=load,start measures these parts again. The binary is $SANDBAR, else a release build.
set -euo pipefail
# Before the folder changes, since a relative path is relative to where the caller is.
[[ -z ${SANDBAR:-} ]] || SANDBAR=$(realpath "$SANDBAR")
cd "$(dirname "${BASH_SOURCE[0]}")"

if [[ -z ${SANDBAR:-} ]]; then
  cargo build --locked --release --package sandbar
  SANDBAR=$(realpath "${CARGO_TARGET_DIR:-../../target}/release/sandbar")
fi
# Each in a statement of its own, since a failure inside an argument would be passed over.
control_plane=$(../control-plane/build.sh)
peers=$(peers/setup.sh)
mkdir -p ../../target
go build -buildvcs=false -o ../../target/compare .
# A backtrace of each error inside wasmtime takes some microseconds of every call; nobody who deploys Sandbar asks for it.
exec env -u RUST_BACKTRACE -u RUST_LIB_BACKTRACE ../../target/compare -sandbar "$SANDBAR" -control-plane "$control_plane" -peers "$peers" \
  ${COMPARE_QUICK:+-quick} ${COMPARE_ONLY:+-only "$COMPARE_ONLY"}
