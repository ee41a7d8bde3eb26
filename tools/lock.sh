#!/usr/bin/env bash
# Write constraints.txt, the release of each package that `make setup` installs, for
# Python 3.12 and 3.13 on Linux, and print which moved: name, old, new.
#
#   tools/lock.sh            take what pyproject.toml newly asks for; the rest stays
#   tools/lock.sh --upgrade  take the newest releases that pyproject.toml allows
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C # one order, wherever it is sorted

fail() {
  echo "lock.sh: error: $*" >&2
  exit 2
}

# uv takes what stands in its output for what it had better keep.
resolve() { # FILE [--upgrade]
  .venv/bin/uv pip compile --quiet pyproject.toml --extra dev --output-file "$@" \
    --python .venv/bin/python --no-python-downloads --python-version 3.12 \
    --universal --fork-strategy fewest \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links >/dev/null ||
    fail "no releases meet all ranges of pyproject.toml, for the reason above."
}

# A constraint binds what is installed and asks for nothing, so it needs no condition on
# the platform: one release of each is enough.
strip_conditions() { # FILE
  local twice
  sed -i 's/ *;.*//' "$1"
  twice=$(cut -d= -f1 "$1" | uniq -d | paste -sd' ')
  [[ -z $twice ]] ||
    fail "one release must serve Python 3.12 and 3.13, and none does of: $twice;" \
      "narrow requires-python or these ranges in pyproject.toml."
}

print_moved() { # OLD NEW
  join -a 1 -a 2 -e - -o 0,1.2,2.2 <(pairs "$1") <(pairs "$2") |
    awk '$2 != $3 { printf "%-28s %-18s -> %s\n", $1, $2, $3; moved++ }
      END { if (!moved) print "constraints.txt: nothing moved" }'
}

pairs() { sed -n 's/==/ /p' "$1" | sort; } # FILE

[[ -x .venv/bin/uv ]] || fail "uv is required; run 'make setup LOCK=no', then again."
touch constraints.txt
work=$(mktemp -d .venv/lock.XXXXXX)
trap 'rm -rf "$work"' EXIT
cp constraints.txt "$work/new"
resolve "$work/new" "$@"
strip_conditions "$work/new"
print_moved constraints.txt "$work/new"
mv "$work/new" constraints.txt
