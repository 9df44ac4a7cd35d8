#!/usr/bin/env bash
# Fetches what reads what a release consists of, unless it is there already: validators for the bill of materials, the MCP bundle
# and server.json, and actionlint, which is compiled in seconds. Prints the folder, the only line on standard output: python/,
# node_modules/, server.schema.json and actionlint. Some 30 MB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() { echo "dist/setup.sh: $1" >&2; exit 1; }

# The schemas of server.json are in the source of the registry.
registry=github.com/modelcontextprotocol/registry@v1.8.9
registry_sum=h1:2pYB31q/uSezVbXu+D+Hr3HMimGFspgS1RTMljm1bVI=
schema=internal/validators/schemas/2025-12-11.json

hash() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
# Compiled Python packages fit one version of Python only.
key=$( (cat python.txt package-lock.json go.mod go.sum setup.sh; python3 --version; uname -ms) | hash | cut -c 1-16)
cache=${SANDBAR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandbar}
folder=$cache/dist-$key

install() {
  local unfinished found node
  # Its node and npm, which the packages are tested with.
  node=$(../packages/setup.sh)/bin
  echo "fetching what reads releases, into $folder" >&2
  unfinished=$(mktemp -d "$cache/unfinished.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$unfinished'" EXIT
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --only-binary :all: --no-deps \
    --target "$unfinished/python" --requirement python.txt >&2
  cp package.json package-lock.json "$unfinished/"
  PATH=$node:$PATH npm ci --prefix "$unfinished" --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  ln -s "$node/node" "$unfinished/node"
  found=$(cd / && go mod download -json "$registry") || fail "$registry cannot be fetched: $found"
  [[ $found == *"\"Sum\": \"$registry_sum\""* ]] || fail "$registry has another sum than $registry_sum: $found"
  cp "$(sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' <<<"$found")/$schema" "$unfinished/server.schema.json"
  go build -buildvcs=false -o "$unfinished/actionlint" github.com/rhysd/actionlint/cmd/actionlint >&2
  # Another run may have been faster.
  [[ -d $folder ]] || mv "$unfinished" "$folder"
}

[[ -d $folder ]] || install
echo "$folder"
