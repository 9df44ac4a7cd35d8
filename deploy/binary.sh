#!/usr/bin/env bash
# The binary that is handed out, for this machine unless a target is named; on Linux with musl, as one file that needs no other.
#
#   binary.sh build [TARGET]   builds it, and prints where it is: the only line on standard output
#   binary.sh target           prints what it is for on this machine
#
# On Linux another processor than this machine's takes cargo-zigbuild (`pip install cargo-zigbuild ziglang`), which has a C compiler
# and a libc for it. On macOS Apple's compiler is for both of theirs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { echo "deploy/binary.sh: $1" >&2; exit 1; }

machine=$(uname -m)
# macOS says it in its own way.
[[ $machine != arm64 ]] || machine=aarch64
case $(uname -s) in
  Linux) here=$machine-unknown-linux-musl ;;
  Darwin) here=$machine-apple-darwin ;;
  *) fail "the binary is built on Linux or macOS; this is $(uname -s)" ;;
esac
case ${1:-} in
  target) echo "$here"; exit ;;
  build) target=${2:-$here} ;;
  *) fail "the possible words are build and target" ;;
esac

build=build
case $target in
  "$here" | *-apple-darwin) ;;
  *-linux-musl)
    command -v cargo-zigbuild >/dev/null || fail "$target is built with cargo-zigbuild: pip install cargo-zigbuild ziglang"
    build=zigbuild
    ;;
  *) fail "$target: what is handed out is for *-unknown-linux-musl and *-apple-darwin" ;;
esac
# The few parts in C (ring, zstd, the allocator) have to be built for musl as well.
if [[ $target == "$here" && $target == *-musl ]]; then
  command -v musl-gcc >/dev/null || fail "musl-gcc is missing; Debian and Ubuntu have it in the package musl-tools"
  export "CC_${target//-/_}=musl-gcc"
fi
# Such a processor's pages can have 64 KiB on Linux, and an allocator that is built for smaller ones does not start there.
[[ $target != aarch64-*-linux-* ]] || export JEMALLOC_SYS_WITH_LG_PAGE=16

rustup target list --installed | grep -qx "$target" || rustup target add "$target" >&2
cargo $build --locked --release --target "$target" >&2
echo "${CARGO_TARGET_DIR:-target}/$target/release/sandbar"
