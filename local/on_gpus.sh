#!/usr/bin/env bash
# on_gpus.sh N COMMAND...: run COMMAND on the N GPUs of this machine that have the fewest
# of such commands. Nothing waits: with more commands than GPUs some share one.
set -euo pipefail

count=$1
shift
visible=${CUDA_VISIBLE_DEVICES-$(nvidia-smi --query-gpu=index --format=csv,noheader \
  2>/dev/null | paste -sd ,)} || visible=
IFS=, read -ra gpus <<<"$visible"
# With fewer GPUs than it needs the command itself says what is wrong.
if ((${#gpus[@]} < count)); then exec "$@"; fi

place=${TMPDIR:-/tmp}/espnet_merge-gpus-$UID
mkdir -p "$place"
taken=()
for ((round = 1; ${#taken[@]} < count; round++)); do
  for gpu in "${gpus[@]}"; do
    if ((${#taken[@]} == count)); then break; fi
    if [[ " ${taken[*]} " == *" $gpu "* ]]; then continue; fi
    # The command inherits the lock, and gives it back when it ends, however it does.
    exec {slot}>"$place/$gpu.$round"
    if flock --nonblock "$slot"; then taken+=("$gpu"); else exec {slot}>&-; fi
  done
done
CUDA_VISIBLE_DEVICES=$(IFS=,; echo "${taken[*]}") exec "$@"
