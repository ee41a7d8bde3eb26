#!/usr/bin/env bash
# Experts for translation into English (es-en: Spanish speech, English text) and for
# recognition, merged into one model.
set -euo pipefail
cd "$(dirname "$0")"

sets="ca-en de-en es-en fr-en ca de es fr en zh"
# shellcheck disable=SC2086 # a word for each set
exec ../../TEMPLATE/merge1/merge.sh \
  --base small --kinds full --ngpu 1 --decode_nj 1 \
  --experts "$sets" \
  --test_sets "$(printf '%s_test ' $sets)" \
  --data_opts "--translate ca,de,es,fr --transcribe ca,de,es,fr --asr librispeech,aishell" \
  "$@"
