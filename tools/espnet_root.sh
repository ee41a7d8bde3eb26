#!/usr/bin/env bash
# Print the directory whose egs2/TEMPLATE/asr1 holds ESPnet's shell scripts: the one
# place that knows it. ESPNET_ROOT names a checkout of your own.
set -euo pipefail

root=${ESPNET_ROOT:-$(cd "$(dirname "$0")" && pwd)/espnet}
if [[ ! -x $root/egs2/TEMPLATE/asr1/utils/run.pl ]]; then
  echo "espnet_root.sh: error: ESPnet's scripts are required; found no" \
    "egs2/TEMPLATE/asr1/utils/run.pl in '$root';" \
    "run $(dirname "$0")/install_espnet.sh, or set ESPNET_ROOT to a checkout of ESPnet." >&2
  exit 2
fi
cd "$root" && pwd
