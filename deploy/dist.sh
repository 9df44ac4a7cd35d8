#!/usr/bin/env bash
# Makes what a release consists of, in target/dist, or in the folder DIST:
#
#   dist.sh                         both of the following, for this machine
#   dist.sh machine                 of one target: the archive with the binary, the MCP bundle, the bill of materials
#   dist.sh release                 what a release has once, of what is in target/dist: chart, Kustomize, install.sh, server.json,
#                                   SHA256SUMS
#   dist.sh context BINARY FOLDER   what the image is built from, and FOLDER.labels, what its labels say; the licences are those
#                                   beside BINARY, as in an unpacked archive, if there are some
#
# The version and the name are those of Cargo.toml. The same commit and the same binary give the same bytes.
#
#   SANDBAR=FILE          a binary that is there already, in the place of building one
#   TARGET=TRIPLE         what it is for: deploy/binary.sh says what there is. This machine, unless it is set
#   NATIVE=FILE           a binary of the same version that runs here, where that for TARGET does not: completions and manual pages are
#                         its
#   REPOSITORY=URL        https://github.com/OWNER/NAME that releases it. Without, there is no server.json, and install.sh has to be told
#                         where releases are
set -euo pipefail
# Before the folder changes, since a relative path is relative to where the caller is.
[[ -z ${SANDBAR:-} ]] || SANDBAR=$(realpath "$SANDBAR")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { echo "deploy/dist.sh: $1" >&2; exit 1; }

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  fail "Python 3.11 or newer is needed; python3 is $(python3 --version 2>&1)"
dist=${DIST:-target/dist}
read -r name version < <(cargo metadata --no-deps --offline --format-version 1 |
  python3 -c 'import json, sys; print(*next((p["name"], p["version"]) for p in json.load(sys.stdin)["packages"] if p["name"] == "sandbar"))')
revision=$(git rev-parse HEAD)
# Everything is as old as the commit.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
umask 022
staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT

hash() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }
pack() { python3 deploy/dist/archive.py "$@"; }

# licences TARGET FOLDER
licences() {
  mkdir -p "$2"
  cp LICENSE "$2/"
  python3 deploy/dist/licences.py "$1" >"$2/THIRD-PARTY-LICENSES"
  cp "$(rustc --print sysroot)/share/doc/rust/COPYRIGHT-library.html" "$2/RUST-LIBRARY-LICENSES.html"
}

machine() {
  local target binary native says shell staged
  target=${TARGET:-$(deploy/binary.sh target)}
  # What is said of the crates is asked for offline, also of those that only other systems have.
  [[ -n ${SANDBAR:-} ]] || cargo fetch --locked --quiet
  binary=${SANDBAR:-$(deploy/binary.sh build "$target")}
  native=${NATIVE:-$binary}
  says=$("$native" --version) || fail "$native does not run here: NATIVE=FILE names one of version $version that does"
  [[ $says == "$name $version" ]] || fail "$native is $says, and Cargo.toml has $name $version"

  staged=$staging/$name-$version-$target
  mkdir -p "$dist" "$staged"/completions "$staged"/man/man1
  cp "$binary" "$staged/sandbar"
  chmod 755 "$staged/sandbar"
  cp README.md CHANGELOG.md "$staged/"
  licences "$target" "$staged/licenses"
  for shell in bash zsh fish; do "$native" completions $shell >"$staged/completions/sandbar.$shell"; done
  "$native" man --dir "$staged/man/man1"
  pack "$staged" "$dist/$(basename "$staged").tar.gz"

  mkdir -p "$staging/bundle/server"
  cp "$staged/sandbar" "$staging/bundle/server/"
  cp -R "$staged/licenses" "$staging/bundle/"
  python3 deploy/dist/registry.py manifest "$target" >"$staging/bundle/manifest.json"
  pack "$staging/bundle" "$dist/$(basename "$staged").mcpb"

  python3 deploy/dist/sbom.py "$target" >"$dist/$(basename "$staged").cdx.json"
}

release() {
  local part staged=$staging/release
  same deploy/chart/Chart.yaml "version: $version"
  same deploy/chart/Chart.yaml "appVersion: $version"
  same deploy/server/kustomization.yaml "    newTag: $version"
  same guest-tools/sdk-python/pyproject.toml "version = \"$version\""
  same guest-tools/sdk-js/package.json "  \"version\": \"$version\","
  mkdir -p "$dist" "$staged/$name" "$staged/$name-$version-kustomize"
  # Of what git has, so that nothing that lies about is in it.
  of_git deploy/chart "$staged/$name"
  pack "$staged/$name" "$dist/$name-$version-chart.tgz"
  for part in namespace.yaml base server overlays components; do
    of_git "deploy/$part" "$staged/$name-$version-kustomize/$part"
  done
  pack "$staged/$name-$version-kustomize" "$dist/$name-$version-kustomize.tar.gz"

  sed "s|^releases=\$|releases=${REPOSITORY:+$REPOSITORY/releases}|" deploy/install.sh >"$dist/install.sh"
  chmod 755 "$dist/install.sh"
  if [[ -n ${REPOSITORY:-} ]]; then python3 deploy/dist/registry.py server "$REPOSITORY" "$dist" >"$dist/server.json"
  else echo "deploy/dist.sh: REPOSITORY is not set, so there is no server.json, and install.sh has to be told where releases are" >&2
  fi
  rm -f "$dist/SHA256SUMS"
  (cd "$dist" && hash -- *) >"$staging/SHA256SUMS"
  mv "$staging/SHA256SUMS" "$dist/"
}

# same FILE LINE: what cannot take the version from Cargo.toml has the same.
same() { grep -qxF -- "$2" "$1" || fail "$1 is of another version than Cargo.toml, $version: it has no line \`$2\`"; }

# of_git PATH TO: a file or a folder as the work tree has it, without what git does not know.
of_git() {
  local file
  git ls-files -- "$1" | while IFS= read -r file; do
    mkdir -p "$(dirname "$2${file#"$1"}")"
    cp "$file" "$2${file#"$1"}"
  done
}

# context BINARY FOLDER
context() {
  rm -rf "$2"
  mkdir -p "$2"
  cp "$1" "$2/sandbar"
  if [[ -d $(dirname "$1")/licenses ]]; then cp -R "$(dirname "$1")/licenses" "$2/"
  else licences "${TARGET:-$(deploy/binary.sh target)}" "$2/licenses"
  fi
  cargo metadata --no-deps --offline --format-version 1 | REVISION=$revision SOURCE=${REPOSITORY:-} python3 -c '
import datetime, json, os, sys
binary = next(package for package in json.load(sys.stdin)["packages"] if package["name"] == "sandbar")
created = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
print("TITLE=Sandbar", f"CREATED={created}", *(f"{key}={os.environ[key]}" for key in ("REVISION", "SOURCE")), sep="\n")
print(*(f"{key.upper()}={binary[key]}" for key in ("description", "license", "version")), sep="\n")' >"$2.labels"
}

case ${1:-both} in
  both) rm -rf "$dist"; machine; release ;;
  machine | release | context) "$@" ;;
  *) fail "there is no \`$1\`; the possible words are machine, release and context" ;;
esac
