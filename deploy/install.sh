#!/bin/sh
# Installs the binary of a release: fetches its archive, checks that it is the one whose SHA-256 the release names, and puts it in a
# folder. --help says how it is called.
#
# The sum comes from where the archive comes from, so it is found out if the archive was damaged, and not if somebody has replaced
# both: the signature of SHA256SUMS is what says that, see docs/how-to/install.md.
set -eu

# Where releases are. What makes a release writes it here.
releases=

fail() { echo "install.sh: $1" >&2; exit 1; }

usage() {
  echo 'install.sh [--version VERSION] [--to FOLDER] [--from URL]: the binary of a release, checked by its SHA-256'
  echo '  --version VERSION   0.1.0 for example; the newest release otherwise'
  echo '  --to FOLDER         where to put it; ~/.local/bin otherwise'
  echo '  --from URL          where the releases are: https://github.com/OWNER/NAME/releases for example'
}

# fetch URL FILE
fetch() {
  if command -v curl >/dev/null; then
    curl --fail --silent --show-error --location --proto "$protocols" --proto-redir "$protocols" --max-redirs "$redirects" --output "$2" "$1"
  elif command -v wget >/dev/null; then wget -q -O "$2" "$1"
  else fail "curl or wget is needed"
  fi || fail "$1 cannot be fetched"
}

sum() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"
  elif command -v shasum >/dev/null; then shasum -a 256 "$1"
  else fail "sha256sum or shasum is needed, to check what was fetched"
  fi | cut -d ' ' -f 1
}

target() {
  case $(uname -m) in
    x86_64 | amd64) machine=x86_64 ;;
    aarch64 | arm64) machine=aarch64 ;;
    *) fail "there is no binary for the processor $(uname -m); docs/how-to/install.md says how to build one" ;;
  esac
  case $(uname -s) in
    Linux) echo "$machine-unknown-linux-musl" ;;
    Darwin) echo "$machine-apple-darwin" ;;
    *) fail "there is no binary for $(uname -s); docs/how-to/install.md says how to build one" ;;
  esac
}

# In a function, so that nothing is done if only a part of this file arrives.
main() {
  version='' to=$HOME/.local/bin
  while [ $# -gt 0 ]; do
    case $1 in -h | --help) usage; exit ;; esac
    [ $# -gt 1 ] || fail "$1 wants a value, or is none of --version, --to and --from"
    case $1 in
      --version) version=${2#v} ;;
      --to) to=$2 ;;
      --from) releases=${2%/} ;;
      *) fail "$1 is none of --version, --to and --from" ;;
    esac
    shift 2
  done
  case $releases in
    # What stands before it is a name and a password, whatever it looks like.
    *@*) fail "$releases: the address of releases has no @ in it" ;;
    https://*) protocols='=https' redirects=8 ;;
    # Nobody is between this machine and itself, if it leads nowhere else.
    http://127.0.0.1[:/]* | http://localhost[:/]* | 'http://[::1]'[:/]*) protocols='=http' redirects=0 ;;
    '') fail "--from URL has to say where the releases are: https://github.com/OWNER/NAME/releases for example" ;;
    *) fail "$releases: releases are fetched over https" ;;
  esac
  target=$(target)
  from=$releases/latest/download
  [ -z "$version" ] || from=$releases/download/v$version

  mkdir -p "$to"
  # In the same folder, so that the binary moves to its place in one step, also where one of that name runs.
  work=$(mktemp -d "$to/.sandbar.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
  fetch "$from/SHA256SUMS" "$work/SHA256SUMS"
  # Which archive that is, and so the version of the newest release. A name that leads elsewhere does not match.
  line=$(grep -E "^[0-9a-f]{64}  sandbar-[0-9A-Za-z.+-]*-$target\.tar\.gz\$" "$work/SHA256SUMS") ||
    fail "the release at $from has no archive for $target"
  [ "$(printf '%s\n' "$line" | wc -l)" -eq 1 ] || fail "the release at $from has several archives for $target"
  archive=${line#*  }
  folder=${archive%.tar.gz}
  [ -z "$version" ] || [ "$folder" = "sandbar-$version-$target" ] ||
    fail "the release $version has $archive instead of an archive of its own version"
  fetch "$from/$archive" "$work/$archive"
  found=$(sum "$work/$archive")
  [ "$found" = "${line%% *}" ] || fail "$archive has the SHA-256 $found, and the release says ${line%% *}: nothing was installed"

  tar -xzf "$work/$archive" -C "$work" "$folder/sandbar"
  { [ -f "$work/$folder/sandbar" ] && [ ! -L "$work/$folder/sandbar" ]; } || fail "$archive has no file 'sandbar': nothing was installed"
  [ ! -d "$to/sandbar" ] || fail "$to/sandbar is a folder: nothing was installed"
  says=$("$work/$folder/sandbar" --version) || fail "the binary of $archive does not run on this machine: nothing was installed"
  mv -f "$work/$folder/sandbar" "$to/sandbar"
  echo "installed $says as $to/sandbar"
  case :$PATH: in
    *:"$to":*) ;;
    *) echo "$to is not in PATH: export PATH=\"$to:\$PATH\"" ;;
  esac
}

main "$@"
