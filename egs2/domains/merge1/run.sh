#!/usr/bin/env bash
# Experts for several domains of one language, merged, routed, and trained together.
set -euo pipefail
cd "$(dirname "$0")"

../../TEMPLATE/merge1/merge.sh --config conf/english.yaml "$@"
