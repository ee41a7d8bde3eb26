#!/usr/bin/env bash
# Ways to add Czech and Dutch (acted dialogue) to four languages of telephone prompts.
set -euo pipefail
cd "$(dirname "$0")"

exec ../../TEMPLATE/merge1/expand.sh \
  --old "es fr it ru" \
  --new "cs_dialogue nl_dialogue" \
  --data_opts "--langs es,fr,it,ru,cs,nl --domains prompts,dialogue" \
  "$@"
