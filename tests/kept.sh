# For a script that builds or fetches what tests need: it is made once, in a folder that all checkouts share. The script sources this file,
# which takes it to its own folder, says in a function `make_in` how the thing is made in the folder $1, with nothing on standard output,
# and calls `kept`.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[1]}")"
script=${BASH_SOURCE[1]##*/}

fail() { echo "${PWD##*/}/$script: $1" >&2; exit 1; }

hash() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

# What pip and npm install fits one version of Python and one kind of machine only.
machine() { python3 --version; uname -ms; }

needs_go() { command -v go >/dev/null || fail "go is needed, and there is none on the PATH"; }

needs_pip() {
  command -v python3 >/dev/null || fail "python3 is needed, and there is none on the PATH"
  python3 -m pip --version >/dev/null 2>&1 || fail "pip is needed for $(command -v python3); Debian and Ubuntu have it in the package python3-pip"
}

# kept NAME VARIANT FILE... prints the folder, the only line on standard output. The files are what it is made from, beside the script:
# go.sum and lock files name the rest to the byte. Other variants, in any words, are kept apart.
kept() {
  local name=$1 key cache
  key=$({ echo "$2"; cat "$script" "${@:3}"; } | hash | cut -c 1-16)
  cache=${SANDBAR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandbar}
  folder=$cache/$name-$key
  if [[ ! -d $folder ]]; then make_once; fi
  echo "$folder"
}

make_once() {
  mkdir -p "$cache"
  # Side by side, one of two would build for nothing, and two large ones take more than twice as long; where there is no flock, that is all
  # that happens.
  exec 9>"$cache/lock"
  if command -v flock >/dev/null; then flock 9; fi
  if [[ -d $folder ]]; then return; fi

  echo "making $folder, which takes seconds or minutes, once" >&2
  unfinished=$(mktemp -d "$cache/unfinished.XXXXXX")
  trap 'rm -rf "$unfinished"' EXIT
  make_in "$unfinished" >&2
  # Another may have been faster.
  [[ -d $folder ]] || mv "$unfinished" "$folder"
}
