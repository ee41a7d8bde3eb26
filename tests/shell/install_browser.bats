#!/usr/bin/env bats
# The installer runs in a copy of tools/, pinned to a small archive, with a PATH that has
# neither a browser nor npm, unless a test puts one there.

setup() {
  tools=$BATS_TEST_TMPDIR/project/tools
  bin=$BATS_TEST_TMPDIR/bin
  mkdir -p "$tools" "$bin" "$BATS_TEST_TMPDIR/project/.venv/bin"
  cp "$BATS_TEST_DIRNAME/../../tools/install_browser.sh" "$tools"
  local program
  for program in bash cat chmod cp dirname env gzip mkdir mktemp mv rm sha256sum tail \
    tar uname; do
    ln -s "$(command -v "$program")" "$bin/$program"
  done
  # What is "compressed" here is plain.
  fake ../project/.venv/bin/python << 'END'
cat "${@: -1}"
END
  make_archive
}

fake() { # NAME, and what it does on standard input
  { echo '#!/bin/bash'; cat; } > "$bin/$1"
  chmod +x "$bin/$1"
}

make_archive() {
  local tree=$BATS_TEST_TMPDIR/package sum
  archive=$BATS_TEST_TMPDIR/archive.tgz
  mkdir -p "$tree/bin" "$BATS_TEST_TMPDIR/lib"
  echo MIT > "$tree/LICENSE"
  echo 'a browser' > "$tree/bin/chromium.br"
  echo 'a library' > "$BATS_TEST_TMPDIR/lib/libnss3.so"
  tar -cf "$tree/bin/al2023.tar.br" -C "$BATS_TEST_TMPDIR" lib
  tar -czf "$archive" -C "$BATS_TEST_TMPDIR" package
  sum=$(sha256sum < "$archive")
  sed -i "s/^sha256=.*/sha256=${sum%% *}/" "$tools/install_browser.sh"
}

# An npm whose package is the file NPM_GIVES.
fake_npm() {
  fake npm << 'END'
while [ "$1" != --pack-destination ]; do shift; done
cp "$NPM_GIVES" "$2/sparticuz-chromium-153.0.0.tgz"
END
}

install() {
  run env PATH="$bin" NPM_GIVES="${1:-$archive}" "$tools/install_browser.sh"
}

@test "unpacks the browser and its libraries from npm's package, once" {
  fake_npm
  install
  [ "$status" -eq 0 ]
  [ -x "$tools/chromium/chromium" ]
  [ "$(< "$tools/chromium/lib/libnss3.so")" = "a library" ]
  [ -f "$tools/chromium/LICENSE" ]
  [ -z "$(ls -A "$tools/downloads")" ]
  install /nonexistent
  [ "$status" -eq 0 ]
  [ -z "$output" ]
}

@test "does nothing where PATH has a browser" {
  fake chromium <<< true
  install
  [ "$status" -eq 0 ]
  [ -z "$output" ]
  [ ! -e "$tools/chromium" ]
}

@test "says that tests will be skipped where there is neither a browser nor npm" {
  install
  [ "$status" -eq 0 ]
  [[ $output == *"will be skipped: neither Chromium nor npm is on PATH"* ]]
}

@test "says why npm could not give it" {
  fake npm <<< 'echo "network is down" >&2; exit 1'
  install
  [ "$status" -eq 0 ]
  [[ ${lines[-1]} == *"will be skipped: npm: network is down" ]]
  [ -z "$(ls -A "$tools/downloads")" ]
}

@test "refuses a corrupt package in one line and leaves nothing" {
  fake_npm
  head -c 100 "$archive" > "$BATS_TEST_TMPDIR/truncated"
  install "$BATS_TEST_TMPDIR/truncated"
  [ "$status" -eq 2 ]
  [[ ${lines[-1]} == *"error:"*"is corrupt: its SHA-256 must be"*"run again."* ]]
  [ ! -e "$tools/chromium" ]
  [ -z "$(ls -A "$tools/downloads")" ]
}
