#!/usr/bin/env bash
# Builds the container image: image.sh NAME:TAG [ARCHIVE]. Takes podman, docker or buildah, whichever works here. The archive is an
# OCI archive, for `kind load image-archive`, `ctr -n k8s.io images import` or `podman load`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

image=$1
archive=${2:-}
target=$(uname -m)-unknown-linux-musl
context=target/image

fail() { echo "deploy/image.sh: $1" >&2; exit 1; }

# A name without a registry means Docker's to Kubernetes. podman and buildah would call it localhost/NAME, which no pod finds.
case ${image%%/*} in
  "$image") image=docker.io/library/$image ;;
  *.* | *:* | localhost) ;;
  *) image=docker.io/$image ;;
esac

[[ $(uname -s) == Linux ]] || fail "the image is built on Linux, for the processor of this machine; this is $(uname -s)"
command -v musl-gcc >/dev/null || fail "musl-gcc is missing; Debian and Ubuntu have it in the package musl-tools"
# A docker without its daemon is no docker.
if podman info >/dev/null 2>&1; then builder=podman
elif docker info >/dev/null 2>&1; then builder=docker
elif command -v buildah >/dev/null; then builder=buildah
else fail "podman, docker (with its daemon running) or buildah is needed to build an image"
fi

rustup target list --installed | grep -qx "$target" || rustup target add "$target"
# The few parts in C (ring, zstd, the allocator) have to be built for musl as well.
export "CC_${target//-/_}=musl-gcc"
# Such a processor's pages can have 64 KiB, and an allocator that is built for smaller ones does not start there.
[[ $target != aarch64-* ]] || export JEMALLOC_SYS_WITH_LG_PAGE=16
cargo build --locked --release --target "$target"

rm -rf "$context"
mkdir -p "$context"
cp "target/$target/release/sandbar" LICENSE "$context/"

case $builder in
  podman | docker) $builder build --file deploy/Dockerfile --tag "$image" "$context" ;;
  # Without root or user namespaces there is nothing to isolate: the Dockerfile runs no command.
  buildah) buildah bud --isolation chroot --storage-driver vfs --format oci --file deploy/Dockerfile --tag "$image" "$context" ;;
esac

if [[ -n $archive ]]; then
  rm -f "$archive"
  case $builder in
    podman) podman save --format oci-archive --output "$archive" "$image" ;;
    # An OCI layout, since Docker 25.
    docker) docker save --output "$archive" "$image" ;;
    buildah) buildah push --storage-driver vfs "$image" "oci-archive:$archive:$image" ;;
  esac
fi
echo "built $image with $builder${archive:+, and wrote it to $archive}" >&2
