# shellcheck shell=bash
# Source me. Decoding in one job, or in several parallel jobs.

# decode_by_jobs N LOGS OPTION...: run "espnet-merge decode" in N jobs, each on a part of
# the batches; the last command combines their hypotheses.
decode_by_jobs() {
  local count=$1 logs=$2 JOB_INPUTS
  shift 2
  JOB_INPUTS=$(inputs_of "$@")
  export JOB_INPUTS
  if ((count > 1)); then
    run_job "${decode_cmd:?}" JOB=1:"$count" "$logs/decode.JOB.log" \
      espnet-merge decode --shard "JOB/$count" "$@" ||
      fail "decoding into $logs: $(last_error "$logs"/decode.*.log)"
  fi
  run_job "${decode_cmd:?}" "$logs/decode.log" espnet-merge decode "$@" ||
    fail "decoding into $logs: $(last_error "$logs/decode.log")"
}

# plan_decoding WHAT MARK NEEDS LOGS OPTION...: plan the same (plan.sh) in inference_nj jobs,
# when the jobs with the logs NEEDS have succeeded.
plan_decoding() {
  local what=$1 mark=$2 needs=$3 logs=$4
  shift 4
  if ((${inference_nj:?} > 1)); then
    plan_job decode "$what" "" "$needs" "${decode_cmd:?}" JOB=1:"$inference_nj" \
      "$logs/decode.JOB.log" espnet-merge decode --shard "JOB/$inference_nj" "$@"
    needs=$logs/decode.JOB.log
  fi
  plan_job decode "$what" "$mark" "$needs" "${decode_cmd:?}" "$logs/decode.log" \
    espnet-merge decode "$@"
}

# inputs_of WORD...: whether the files that a command reads are the same: those of models,
# data and configurations among its words, which may be NAME=PATH.
inputs_of() {
  local word option=''
  for word; do
    if [[ $word == --* ]]; then option=$word; fi
    if [[ $option != --output ]]; then files_state "${word#*=}"; fi
  done | cksum
}
