#!/usr/bin/env bash
# Spoken telephone prompts in five languages: experts for three of them, merged.
set -euo pipefail
cd "$(dirname "$0")"

exec ../../TEMPLATE/merge1/merge.sh \
  --experts "es it ru" \
  --test_sets "es_test it_test ru_test en_test fr_test" \
  --data_opts "--langs es,it,ru,en,fr" \
  "$@"
