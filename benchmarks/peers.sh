#!/usr/bin/env bash
# Make the environments of the peers in DIR, each apart from the project's own:
#   benchmarks/peers.sh DIR
set -euo pipefail

MERGEKIT=(mergekit==0.1.5 "transformers>=5,<6")
FUSION_BENCH=(fusion-bench==0.2.33 torch)
OPENAI_WHISPER=(openai-whisper==20250625 faster-whisper==1.2.1 soundfile)
ESPNET=("espnet>=202611,<202612" transformers more-itertools ffmpeg-python)
# ESPnet takes no newer one, and that one no newer setuptools.
ESPNET_WHISPER=(openai-whisper==20230117)

root=$(cd "$(dirname "$0")/.." && pwd)
[[ $# == 1 ]] || { echo "usage: benchmarks/peers.sh DIR" >&2; exit 2; }

make_peer() { # directory, packages …
  local directory=$1 python
  shift
  [[ ! -e $directory/.installed ]] || return 0
  python=$("$root/tools/find_python.sh")
  echo "peers.sh: installing $* into $directory"
  "$python" -m venv --clear "$directory"
  "$directory/bin/python" -m pip install --quiet uv
  "$directory/bin/uv" pip install --quiet --compile-bytecode \
    --python "$directory/bin/python" "$@"
  touch "$directory/.installed"
}

make_peer "$1/mergekit" "${MERGEKIT[@]}"
make_peer "$1/fusion_bench" "${FUSION_BENCH[@]}"
make_peer "$1/openai_whisper" "${OPENAI_WHISPER[@]}"
make_peer "$1/espnet" "${ESPNET[@]}"
"$1/espnet/bin/uv" pip install --quiet --no-deps --python "$1/espnet/bin/python" \
  --build-constraints <(echo "setuptools<81") "${ESPNET_WHISPER[@]}"
