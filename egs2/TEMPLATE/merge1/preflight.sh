# shellcheck shell=bash disable=SC2154
# Source me. What a run does is checked before it is queued. Expects the options of merge.sh
# and the variables of names.sh.

check_run() {
  local name full=() lora=() words log=$expdir/preflight.log
  for name in "${trained[@]}" "${later[@]}"; do
    if is_lora "$name"; then lora+=("$name"); else full+=("$name"); fi
  done
  words=(espnet-merge preflight --model "$expdir/base" --expdir "$expdir"
    --train "${train_sets[@]/#/$dumpdir/org/}" --valid "${valid_sets[@]/#/$dumpdir/org/}"
    --test "${tests[@]/#/$dumpdir/org/}" --train-nj "$train_nj" "--train-args=$train_args"
    --min-seconds "$min_train_seconds" --max-seconds "$max_train_seconds"
    --decode-config "${decode_file[${base_modes[0]}]}" --training)
  if ((${#full[@]})); then words+=("full=$full_config"); fi
  if ((${#lora[@]})); then words+=("lora=$lora_config"); fi
  words+=(--systems "full=$(join_by_comma "${full[@]}")" "lora=$(join_by_comma "${lora[@]}")"
    "merged=$(join_by_comma "${merged[@]}")")
  for name in train valid test; do
    local most=max_${name}_utterances
    if [[ -n ${!most} ]]; then words+=("--${most/train_/}" "${!most}"); fi
  done
  if ((ngpu)); then
    run_job "$cuda_cmd" "$log" "${words[@]}" --device cuda ||
      fail "$(grep -v '^#' "$log")"
    grep -v '^#' "$log"
  else
    "${words[@]}"
  fi
}
