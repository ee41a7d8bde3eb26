#!/usr/bin/env bash
# train.sh LOG LAUNCHER...: as run.pl, for a job of a plan. Train by ESPnet's launcher, which
# runs the training here or on a cluster, and export the model. Beside LOG lies the log of
# the training, train.log. A LOG of what has failed ends with the reason.
set -euo pipefail

. "$(dirname "$0")/stage.sh"
log=$1
out=${1%/*}
exec >"$log" 2>&1

failed() {
  echo "$(last_error "$log" "$out/train.log"); see $out/train.log."
  exit 2
}

attended "${@:2}" || failed
attended espnet-merge export --exp "$out" --output "$out/model" --overwrite || failed
