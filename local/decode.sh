# shellcheck shell=bash
# Source me. Decoding by one job, or by several that share it.

# decode_by_jobs N LOGS OPTION...: "espnet-merge decode" by N jobs, each with its share
# of the batches; the last command puts together what they heard.
decode_by_jobs() {
  local count=$1 logs=$2
  shift 2
  if ((count > 1)); then
    ${decode_cmd:?} JOB=1:"$count" "$logs/decode.JOB.log" \
      espnet-merge decode --shard "JOB/$count" "$@" ||
      fail "decoding into $logs: $(last_error "$logs"/decode.*.log)"
  fi
  ${decode_cmd:?} "$logs/decode.log" espnet-merge decode "$@" ||
    fail "decoding into $logs: $(last_error "$logs/decode.log")"
}
