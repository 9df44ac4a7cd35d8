#!/usr/bin/env bash
# Fetches what reads what a release consists of: validators for the bill of materials, the MCP bundle and server.json, and actionlint, which
# is compiled in seconds. Prints the folder: in it are python/, node_modules/, server.schema.json and actionlint. Some 30 MB.
source "$(dirname "${BASH_SOURCE[0]}")/../kept.sh"

# The schemas of server.json are in the source of the registry.
registry=github.com/modelcontextprotocol/registry@v1.8.9
registry_sum=h1:2pYB31q/uSezVbXu+D+Hr3HMimGFspgS1RTMljm1bVI=
schema=internal/validators/schemas/2025-12-11.json

# Its node and npm, which the packages are tested with.
node=$(../packages/setup.sh)/bin

make_in() {
  local found
  needs_pip
  needs_go
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --only-binary :all: --no-deps \
    --target "$1/python" --requirement python.txt
  cp package.json package-lock.json "$1/"
  PATH=$node:$PATH npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --loglevel=error
  ln -s "$node/node" "$1/node"
  found=$(cd / && go mod download -json "$registry") || fail "$registry cannot be fetched: $found"
  [[ $found == *"\"Sum\": \"$registry_sum\""* ]] || fail "$registry has another sum than $registry_sum: $found"
  cp "$(sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' <<<"$found")/$schema" "$1/server.schema.json"
  go build -buildvcs=false -o "$1/actionlint" github.com/rhysd/actionlint/cmd/actionlint
}

kept dist "$(machine)" python.txt package-lock.json go.mod go.sum
