#!/usr/bin/env bash
# Make .venv in the project and install espnet_merge and its dependencies into it.
set -euo pipefail
cd "$(dirname "$0")/.."

make_venv() {
  local python
  if PYTHON=.venv/bin/python tools/find_python.sh &>/dev/null; then return; fi
  python=$(tools/find_python.sh)
  echo "setup: making .venv with $python"
  "$python" -m venv --clear .venv
}

# uv does in one minute what takes pip five; pip remains for where uv cannot run, for
# instance where the index is known to pip's configuration only. Where Python may not
# write bytecode later on, each start of transformers would take 15 s in place of 6.
install_package() {
  echo "setup: installing espnet_merge; the first time downloads about 3 GB"
  if .venv/bin/python -m pip install --quiet --disable-pip-version-check uv &&
    .venv/bin/uv pip install --python .venv/bin/python --compile-bytecode \
      --editable '.[dev]'; then
    return
  fi
  echo "setup: uv did not succeed; trying pip, which takes longer" >&2
  if ! .venv/bin/python -m pip install --editable '.[dev]'; then
    echo "make_venv.sh: error: the packages of pyproject.toml could not be installed;" \
      "see the reason above, mend it (network, 8 GB of disk) and run again." >&2
    exit 2
  fi
}

make_venv
install_package
