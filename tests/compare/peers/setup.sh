#!/usr/bin/env bash
# Installs the servers that Sandbar is compared with, by lists with checksums. Prints the folder: in it are kubernetes-mcp-server, node and
# node_modules/, and python/. The first time takes a minute and 600 MB.
source "$(dirname "${BASH_SOURCE[0]}")/../../kept.sh"

# Its node and npm, which the packages are tested with.
packages=$(../../packages/setup.sh)

make_in() {
  local program
  needs_pip
  cp package.json package-lock.json "$1/"
  PATH=$packages/bin:$PATH npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --loglevel=error
  ln -s "$packages/bin/node" "$1/node"
  # There is a package for each kind of machine, and npm leaves out one that is for another.
  program=$(cd "$1" && find node_modules -path '*/bin/kubernetes-mcp-server-*' -type f | head -n 1)
  [[ -n $program ]] || fail "there is no kubernetes-mcp-server for $(uname -ms)"
  chmod +x "$1/$program"
  ln -s "$program" "$1/kubernetes-mcp-server"
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --only-binary :all: --no-deps --require-hashes \
    --target "$1/python" --requirement python.txt
}

kept peers "$(machine)" python.txt package-lock.json
