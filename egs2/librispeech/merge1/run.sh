#!/usr/bin/env bash
# Experts for the clean and for the other half of LibriSpeech, and their merges.
set -euo pipefail
cd "$(dirname "$0")"

exec ../../TEMPLATE/merge1/merge.sh \
  --base base --kinds full --ngpu 1 --decode_nj 1 \
  --experts "en_clean en_other" \
  --test_sets "en_clean_test en_other_test" \
  "$@"
