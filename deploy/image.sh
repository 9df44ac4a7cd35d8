#!/usr/bin/env bash
# Builds the container image: image.sh NAME:TAG [ARCHIVE]. Takes podman, docker or buildah, whichever works here. The archive is an
# OCI archive, for `kind load image-archive`, `ctr -n k8s.io images import` or `podman load`. SANDBAR=FILE takes a static binary
# that is there already; REPOSITORY=URL says in the image where its source is.
set -euo pipefail
# Before the folder changes, since a relative path is relative to where the caller is.
[[ -z ${SANDBAR:-} ]] || SANDBAR=$(realpath "$SANDBAR")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

image=$1
archive=${2:-}
context=target/image

fail() { echo "deploy/image.sh: $1" >&2; exit 1; }

# A name without a registry means Docker's to Kubernetes. podman and buildah would call it localhost/NAME, which no pod finds.
case ${image%%/*} in
  "$image") image=docker.io/library/$image ;;
  *.* | *:* | localhost) ;;
  *) image=docker.io/$image ;;
esac

[[ $(uname -s) == Linux ]] || fail "the image is built on Linux, for the processor of this machine; this is $(uname -s)"
# A docker without its daemon is no docker.
if podman info >/dev/null 2>&1; then builder=podman
elif docker info >/dev/null 2>&1; then builder=docker
elif command -v buildah >/dev/null; then builder=buildah
else fail "podman, docker (with its daemon running) or buildah is needed to build an image"
fi

binary=${SANDBAR:-$(deploy/binary.sh build)}
deploy/dist.sh context "$binary" "$context"
labels=()
while IFS= read -r line; do labels+=(--build-arg "$line"); done <"$context.labels"

case $builder in
  podman | docker) $builder build --file deploy/Dockerfile "${labels[@]}" --tag "$image" "$context" ;;
  # Without root or user namespaces there is nothing to isolate: the Dockerfile runs no command.
  buildah) buildah bud --isolation chroot --storage-driver vfs --format oci --file deploy/Dockerfile "${labels[@]}" --tag "$image" "$context" ;;
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
