#!/usr/bin/env bash
# Unpack ESPnet's shell scripts (egs2/TEMPLATE/asr1: utils, scripts, pyscripts, steps)
# into tools/espnet. They are in the source distribution only, not in the wheel.
#
#   tools/install_espnet.sh        download the source distribution with pip
#   tools/install_espnet.sh FILE   take a copy of it, where there is no network
set -euo pipefail

version=202611
sha256=eb5816c4d2e4a18eaa2afacc2f8cf74f93e5534dec0fdcee0b2c89b6f7ddd1fd
name=espnet-$version

fail() {
  echo "install_espnet.sh: error: $*" >&2
  exit 2
}

# Without isolation pip builds what it looks at with the setuptools of .venv, not with
# the newest, which constraints.txt does not know.
download() {
  echo "setup: downloading $name.tar.gz (36 MB)" >&2
  ../.venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps \
    --no-build-isolation --no-binary espnet --dest "$work" "espnet==$version" >&2 ||
    fail "$name.tar.gz could not be downloaded; mend the network and run again," \
      "or give a copy: tools/install_espnet.sh FILE"
}

check() {
  local found
  [[ -f $1 ]] || fail "'$1' must be a file and is not; give a copy of $name.tar.gz."
  found=$(sha256sum < "$1")
  [[ ${found%% *} == "$sha256" ]] ||
    fail "'$1' is corrupt: its SHA-256 must be $sha256, got ${found%% *};" \
      "delete it, clear pip's cache (pip cache remove espnet) and run again."
}

# tools/espnet appears by one rename, so that a killed run leaves nothing half-written.
unpack() {
  mkdir "$work/tree"
  tar -xzf "$1" -C "$work/tree" --strip-components=1 --no-same-owner \
    "$name/LICENSE" "$name/egs2/TEMPLATE/asr1"
  echo "$sha256" > "$work/tree/SHA256"
  rm -rf espnet
  mv -T "$work/tree" espnet
}

if [[ -n ${ESPNET_ROOT:-} ]]; then
  exec "$(dirname "$0")/espnet_root.sh" > /dev/null
fi
archive=${1:+$(realpath -m -- "$1")}
cd "$(dirname "$0")"
if [[ -f espnet/SHA256 && $(< espnet/SHA256) == "$sha256" ]]; then
  exit
fi
mkdir -p downloads
work=$(mktemp -d downloads/espnet.XXXXXX)
trap 'rm -rf "$work"' EXIT
if [[ -z $archive ]]; then
  download
  archive=$work/$name.tar.gz
fi
check "$archive"
unpack "$archive"
echo "setup: ESPnet's scripts are in tools/espnet"
