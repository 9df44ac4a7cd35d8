#!/usr/bin/env bash
# Tests the packages for Rust, Python and JavaScript as those have them who use them: each is built as its archive, and installed from that in a clean folder.
#
#   run.sh units                    the packages' own tests, and those of what their archives have inside
#   run.sh script|rust|python|js|go what the language's page in docs/how-to says, from `sandbar new` to an answer; the tool's manifest and its calls
#   run.sh ts                       the same by the README of its template, since it has no page
#
# With several words, one after the other; without any, all of them. SANDBAR is the binary: target/debug/sandbar if it is not set. A debug
# build takes over a minute to compile the component of Python, which is more than it may take: `python` needs a release build.
set -euo pipefail

fail() { echo "packages/run.sh: $1" >&2; exit 1; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
# Before the folder changes, since a relative path is relative to where the caller is.
sandbar=$(realpath "${SANDBAR:-$repository/target/debug/sandbar}")
cd "$here"
tools=$(./setup.sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The registries are the folders that setup.sh has filled, and that of the archives; cargo's is what the build of the binary has brought.
export PIP_NO_INDEX=1 PIP_FIND_LINKS="$tools/wheels $work/archives" PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1
export npm_config_cache=$tools/npm-cache npm_config_offline=true npm_config_audit=false npm_config_fund=false npm_config_loglevel=error npm_config_ignore_scripts=true
export CARGO_NET_OFFLINE=true CARGO_TERM_QUIET=true CARGO_TARGET_DIR=$work/target
export SANDBAR_LISTEN=127.0.0.1:0
unset VIRTUAL_ENV PYTHONPATH NODE_PATH
mkdir "$work/bin"
ln -s "$sandbar" "$work/bin/sandbar"
PATH=$work/bin:$tools/bin:$PATH

say() { printf '%4d s  %s\n' "$SECONDS" "$1"; }

# quietly WORDS COMMAND...: its output only where it fails, with the words.
quietly() { "${@:2}" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$1"; }; }

# known PATH...: the files of these that git has, so that nothing that lies about is among them; all of them, where this is no repository of git.
known() {
  git ls-files -z --cached --others --exclude-standard "$@" 2>/dev/null || find "$@" '(' -type f -o -type l ')' -print0
}

archives() {
  [[ ! -d $work/archives ]] || return 0
  mkdir "$work/archives" "$work/sources"
  (cd "$repository" && known wit guest-tools/sdk-python guest-tools/sdk-js LICENSE | tar --null --files-from - -cf -) |
    tar -xf - -C "$work/sources"
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install build hatchling
  # The wheel is built of the source archive, not of the folder; what it builds with is checked against its pyproject.toml.
  quietly "the package for PyPI cannot be built" "$work/venv/bin/python" -m build --no-isolation --outdir "$work/archives" "$work/sources/guest-tools/sdk-python"
  cd "$work/sources/guest-tools/sdk-js"
  quietly "the package for npm cannot be built" npm pack --ignore-scripts=false --pack-destination "$work/archives"
  cd "$here"
  wheel=$(echo "$work"/archives/sandbar_tool-*.whl)
  sdist=$(echo "$work"/archives/sandbar_tool-*.tar.gz)
  npm=$(echo "$work"/archives/sandbar-tool-*.tgz)
  stand_alone "LICENSE wit/tool/tool.wit wit/kubernetes/kubernetes.wit" "$wheel" "$sdist" "$npm"
}

# The crate needs nothing of the others. What is checked of it by a build is what the tool's build checks.
crate() {
  cd "$repository"
  quietly "the crate cannot be built" cargo package --locked --package sandbar-tool --no-verify --allow-dirty
  cd "$here"
  local crate
  crate=$(echo "$work"/target/package/sandbar-tool-*.crate)
  # Its bindings are generated, so it needs no contract.
  stand_alone "LICENSE src/bindings.rs" "$crate"
  mkdir "$work/crate"
  tar -xzf "$crate" -C "$work/crate" --strip-components 1
}

# stand_alone FILES ARCHIVE...: that they have inside what they need, and nothing that they do not.
stand_alone() {
  local archive list wanted files=$1
  for archive in "${@:2}"; do
    list=$(python3 -c 'import shutil, sys, zipfile, tarfile; f = sys.argv[1]
print(*(zipfile.ZipFile(f).namelist() if f.endswith(".whl") else [m.name + (" is a link" if m.issym() or m.islnk() else "") for m in tarfile.open(f)]), sep="\n")' "$archive")
    for wanted in $files; do
      [[ $list == *"$wanted"* ]] || fail "$(basename "$archive") has no $wanted in it"
    done
    [[ $list != *" is a link"* && $list != *template* ]] || fail "$(basename "$archive") has links or templates in it: $list"
    say "$(basename "$archive"): $(($(wc -c <"$archive") / 1024)) KiB"
  done
}

units() {
  archives
  "$work/venv/bin/pip" install "sandbar-tool[build,test]" mypy types-PyYAML
  mkdir "$work/python" && tar -xzf "$sdist" -C "$work/python" --strip-components 1
  # What is tested and checked is what is installed, not the folder beside the tests.
  (cd "$work/python" && rm -rf src && "$work/venv/bin/pytest" --quiet tests && "$work/venv/bin/mypy" --package sandbar_tool)
  (cd "$work" && sandbar new checked --lang python >"$work/log" 2>&1 && cd checked && "$work/venv/bin/mypy" --strict tool.py test_tool.py)
  say "the package for Python"

  mkdir "$work/js" && tar -xzf "$npm" -C "$work/js" --strip-components 1
  cp -r "$work/sources/guest-tools/sdk-js/test" "$work/js/"
  (cd "$work/js" && npm install && npm test && npm run check)
  say "the package for JavaScript"
}

# tool LANGUAGE [PAGE]: leaves the tool in $work/LANGUAGE/list-restarts, and that folder the one at hand.
tool() {
  mkdir -p "$work/tools/$1"
  cd "$work/tools/$1"
  if [[ -n ${2:-} ]]; then
    python3 "$here/page.py" "$repository/docs/how-to/$2" README.md
    cd list-restarts
  else
    quietly "sandbar new has failed" sandbar new list-restarts --lang "$1"
    cd list-restarts
    eval "$AFTER_NEW"
    python3 "$here/page.py" README.md
  fi
  say "$1: to an answer"
  cp "$here/same.test.yaml" "$here/paged.test.yaml" .
  sandbar test same.test.yaml
}

# Of all languages but that of scripts, in which it has fewer words.
paged() {
  sandbar test paged.test.yaml
  python3 "$here/check.py" manifest "$sandbar" list-restarts.wasm "$here/manifest.json"
  say "the same manifest and the same calls"
}

# everything LANGUAGE COMMAND...: the tool that uses all of a package, built by what the tool at hand has installed.
everything() {
  cp "$here/everything/tool.$1" "$here/everything/sandbar.yaml" .
  "${@:2}" build "tool.$1" -o everything.wasm
  python3 "$here/check.py" calls "$sandbar" . everything.wasm everything "$1" "$here/everything/cases.json"
  say "every function, every failure"
}

script() {
  tool script write-a-tool-script.md
}

# The package is in what `sandbar new` writes.
golang() {
  # What is not in the standard library is in the folder: nothing is downloaded.
  export GOPROXY=off GOTOOLCHAIN=local
  for system in "" wasip1; do
    (cd "$repository/guest-tools/sdk-go/sandbar" && GOOS=$system GOARCH=${system:+wasm} go vet ./...)
  done
  (cd "$repository/guest-tools/sdk-go/sandbar" && [[ -z $(gofmt -l . ../template) ]] && go test ./...) || fail "the package for Go has faults, or is not as gofmt has it"
  say "the package for Go"
  tool go write-a-tool-go.md
  go vet .
  paged
  mkdir "$work/everything" && cd "$work/everything"
  cp -r ../tools/go/list-restarts/{sandbar,go.mod} "$here/everything/tool.go" "$here/everything/sandbar.yaml" .
  go vet .
  sandbar build
  python3 "$here/check.py" calls "$sandbar" . everything.wasm everything go "$here/everything/cases.json"
  say "every function, every failure"
}

# What crates of others become is kept in the cache folder: it takes most of the time, and is the same each time.
rust() {
  local key kept
  key=$( (cat "$repository/Cargo.lock" "$repository/rust-toolchain.toml" "$repository/guest-tools/sdk/template/Cargo.toml.in"; uname -ms) | cksum | tr -d ' ')
  kept=${SANDBAR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandbar}/packages-rust-$key
  [[ ! -d $kept ]] || cp -Rp "$kept" "$work/target"
  crate
  mkdir -p "$work/tools/rust/.cargo"
  # In the place of the registry's; cargo finds this above the tool's folder.
  printf '[patch.crates-io]\nsandbar-tool = { path = "%s" }\n' "$work/crate" >"$work/tools/rust/.cargo/config.toml"
  tool rust write-a-tool.md
  paged
  if [[ ! -d $kept ]]; then
    find "$work/target" -depth \( -name '*sandbar[-_]tool*' -o -name '*list[-_]restarts*' -o -name package -o -name incremental \) -exec rm -rf {} +
    mv "$work/target" "$kept.unfinished.$$"
    # Another run may have been faster.
    if [[ -d $kept ]]; then rm -rf "$kept.unfinished.$$"; else mv "$kept.unfinished.$$" "$kept"; fi
  fi
}

python() {
  archives
  tool python write-a-tool-python.md
  paged
  everything py .venv/bin/sandbar-tool
}

# npm finds a package by its name only in a registry.
of_npm() {
  archives
  export AFTER_NEW="sed -i.old 's|\"sandbar-tool\": \"[^\"]*\"|\"sandbar-tool\": \"file:$npm\"|' package.json"
  tool "$@"
  unset AFTER_NEW
  paged
}

js() {
  of_npm js write-a-tool-javascript.md
  everything js npx sandbar-tool
}

ts() { of_npm ts; }

if [[ $# == 0 ]]; then set -- units script rust python js ts go; fi
for word; do
  case $word in
    units|script|rust|python|js|ts) "$word"; cd "$here" ;;
    go) golang; cd "$here" ;;
    *) fail "there is no \`$word\`; the possible words are units, script, rust, python, js, ts and go" ;;
  esac
done
