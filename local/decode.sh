# shellcheck shell=bash
# Source me. Decoding in one job, or in several parallel jobs.

# decode_by_jobs N LOGS OPTION...: run "espnet-merge decode" in N jobs, each on a part of
# the batches; the last command combines their hypotheses.
decode_by_jobs() {
  local count=$1 logs=$2
  shift 2
  if ((count > 1)); then
    run_job "${decode_cmd:?}" JOB=1:"$count" "$logs/decode.JOB.log" \
      espnet-merge decode --shard "JOB/$count" "$@" ||
      fail "decoding into $logs: $(last_error "$logs"/decode.*.log)"
  fi
  run_job "${decode_cmd:?}" "$logs/decode.log" espnet-merge decode "$@" ||
    fail "decoding into $logs: $(last_error "$logs/decode.log")"
}
