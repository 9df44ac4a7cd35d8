#!/usr/bin/env bash
# Installs the servers that Sandbar is compared with, by lists with checksums, unless they are there already. Prints the folder, the only
# line on standard output: in it are kubernetes-mcp-server, node and node_modules/, and python/. The first time takes a minute and 600 MB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() { echo "peers/setup.sh: $1" >&2; exit 1; }

hash() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
# Compiled Python packages fit one version of Python only.
key=$( (cat python.txt package-lock.json setup.sh; python3 --version; uname -ms) | hash | cut -c 1-16)
cache=${SANDBAR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandbar}
folder=$cache/peers-$key

install() {
  local unfinished packages program
  python3 -m pip --version >/dev/null 2>&1 || fail "pip is needed for $(command -v python3); Debian and Ubuntu have it in the package python3-pip"
  # Its node and npm, which the packages are tested with.
  packages=$(../../packages/setup.sh)
  echo "installing the servers that Sandbar is compared with in $folder" >&2
  unfinished=$(mktemp -d "$cache/unfinished.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$unfinished'" EXIT
  cp package.json package-lock.json "$unfinished/"
  PATH=$packages/bin:$PATH npm ci --prefix "$unfinished" --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  ln -s "$packages/bin/node" "$unfinished/node"
  # There is a package for each kind of machine, and npm leaves out one that is for another.
  program=$(cd "$unfinished" && find node_modules -path '*/bin/kubernetes-mcp-server-*' -type f | head -n 1)
  [[ -n $program ]] || fail "there is no kubernetes-mcp-server for $(uname -ms)"
  chmod +x "$unfinished/$program"
  ln -s "$program" "$unfinished/kubernetes-mcp-server"
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --only-binary :all: --no-deps --require-hashes \
    --target "$unfinished/python" --requirement python.txt >&2
  # Another run may have been faster.
  [[ -d $folder ]] || mv "$unfinished" "$folder"
}

[[ -d $folder ]] || install
echo "$folder"
