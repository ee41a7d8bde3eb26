#!/usr/bin/env bash
# Print the path of a Python 3.12 or 3.13 that can make virtual environments:
# $PYTHON alone when it is set, else the first of PATH, then of pyenv's versions.
set -euo pipefail
shopt -s nullglob

pyenv=${PYENV_ROOT:-${HOME:-}/.pyenv}

candidates() {
  if [[ -n ${PYTHON:-} ]]; then
    echo "$PYTHON"
    return
  fi
  printf '%s\n' python3.12 python3.13 python3
  printf '%s\n' "$pyenv"/versions/3.1[23]*/bin/python3
}

# Runs the candidate: a pyenv shim exists for versions that are not active, and
# Debian's python3 comes without ensurepip.
is_suitable() {
  local program='import ensurepip, sys, venv
sys.exit(not (3, 12) <= sys.version_info[:2] < (3, 14))'
  "$1" -c "$program" &>/dev/null
}

main() {
  local candidate path
  while read -r candidate; do
    path=$(command -v "$candidate") || continue
    if is_suitable "$path"; then
      echo "$path"
      return
    fi
  done < <(candidates)
  local where="PATH or $pyenv/versions"
  echo "find_python.sh: error: Python 3.12 or 3.13 with venv is required; found none in" \
    "${PYTHON:-$where}; install one (apt-get install python3.12-venv, pyenv install" \
    "3.12) or name it: make setup PYTHON=/path/to/python3.12" >&2
  exit 2
}

main
