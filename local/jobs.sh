# shellcheck shell=bash
# Source me. Commands as jobs, and the GPUs that they need.

# run_job CMD [JOB=1:n] LOG WORD...: run WORD... by CMD, on a GPU if the words ask for one.
# JOB_INPUTS says what else the result depends on: a job that runs already for other
# inputs is not waited for.
run_job() {
  local cmd=() array=() log
  eval "cmd=($1)" # its options may be quoted: --sbatch '--qos=long --account=a'
  shift
  if [[ $1 =~ ^[A-Z]+=[0-9]+:[0-9]+$ ]]; then
    array=("$1")
    shift
  fi
  log=$1
  shift
  if [[ $(device_of "$@") == cuda ]]; then
    "${cmd[@]}" --gpu 1 "${array[@]}" "$log" ../../../local/on_gpus.sh 1 "$@"
  else
    "${cmd[@]}" "${array[@]}" "$log" "$@"
  fi
}

# device_of WORD...: what --device says among the words, or else their configuration.
device_of() {
  local word before='' device=''
  for word; do
    case $before in
      --device) device=$word ;;
      --config | --decode-config)
        : "${device:=$(sed -n 's/^device: *\([a-z]*\).*/\1/p' "$word")}"
        ;;
    esac
    if [[ $word == --device=* ]]; then device=${word#*=}; fi
    before=$word
  done
  echo "$device"
}
