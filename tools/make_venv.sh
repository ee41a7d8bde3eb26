#!/usr/bin/env bash
# Make .venv in the project and install espnet_merge and its dependencies into it.
#
#   tools/make_venv.sh yes   the releases of constraints.txt, with which the tests passed
#   tools/make_venv.sh no    the newest releases that pyproject.toml allows
#
# Most of the 3 GB are CUDA libraries, which the torch of PyPI links against, GPU or not.
# PyPI has no other torch for x86-64; that for the CPU alone is on PyTorch's own index.
# Where torch and torchaudio were installed from there into .venv, in the releases of
# constraints.txt, they stay, and no CUDA library is downloaded.
set -euo pipefail
cd "$(dirname "$0")/.."

make_venv() {
  local python
  if PYTHON=.venv/bin/python tools/find_python.sh &>/dev/null; then return; fi
  python=$(tools/find_python.sh)
  echo "setup: making .venv with $python"
  "$python" -m venv --clear .venv
}

# By environment, not by option, for pip takes no option to what it builds packages with.
use_lock() {
  export UV_CONSTRAINT=constraints.txt UV_BUILD_CONSTRAINT=constraints.txt
  export PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt
}

pip_install() {
  .venv/bin/python -m pip install --disable-pip-version-check "$@"
}

# uv does in one minute what takes pip five; pip remains for where uv cannot run, for
# instance where the index is known to pip's configuration only. Where Python may not
# write bytecode later on, each start of transformers would take 15 s in place of 6.
install_package() {
  echo "setup: installing espnet_merge; the first time downloads about 3 GB"
  if pip_install --quiet "$@" uv &&
    .venv/bin/uv pip install --python .venv/bin/python --compile-bytecode "$@" \
      --editable '.[dev]'; then
    return
  fi
  echo "setup: uv did not succeed; trying pip, which takes longer" >&2
  if ! pip_install "$@" --upgrade-strategy eager --editable '.[dev]'; then
    echo "make_venv.sh: error: the packages of pyproject.toml could not be installed;" \
      "see the reason above, mend it (network, 8 GB of disk) and run again." >&2
    exit 2
  fi
}

case ${1:-yes} in
  yes) use_lock && newest=() ;;
  no) newest=(--upgrade) ;;
  *)
    echo "make_venv.sh: error: LOCK must be yes or no; got '$1'." >&2
    exit 2
    ;;
esac
make_venv
install_package "${newest[@]}"
