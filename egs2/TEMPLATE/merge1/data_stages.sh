# shellcheck shell=bash disable=SC2154
# Source me. Stages 1 to 3 and 5 of merge.sh: make, check, format and filter data
# directories. Expects the options of merge.sh and the variables of names.sh.

# Stage 1
prepare_data() {
  local options set trains=("${learned[@]/%/_train}")
  if [[ $listing == false ]]; then
    read -ra options <<<"$data_opts"
    local/data.sh "${options[@]}"
    link_ood
    if [[ $eval_valid_set == true ]]; then link_valid; fi
  fi
  for set in "${trains[@]}" "${valid_sets[@]}" "${tests[@]}"; do
    [[ -d data/$set || $listing == true ]] ||
      fail "data/$set must be there, by local/data.sh or 'espnet-merge import'; it is not."
  done
  check_data
}

check_data() {
  local set sets=("${trains[@]}" "${valid_sets[@]}" "${tests[@]}") model=() sums=()
  for set in "${sets[@]}"; do sums+=("data/$set=$(tables_checksum "data/$set")"); done
  words="$base ${sums[*]}"
  must_make "$expdir/.data.done" "" "checking data/*" "--base $base" "${sums[@]}" || return 0
  # The user's own base, here or on the hub, may know other languages than OpenAI's.
  if [[ -d $base || ($base == */* && $base != openai/* && ! -f $base) ]]; then
    model=(--model "$base")
  fi
  # Training sets are combined for a joint model, so all utterance names must differ.
  if ((${#trains[@]})); then
    espnet-merge validate "${model[@]}" --data "${trains[@]/#/data/}"
  fi
  if ((${#valid_sets[@]})); then
    espnet-merge validate "${model[@]}" --data "${valid_sets[@]/#/data/}"
  fi
  for set in "${tests[@]}"; do
    espnet-merge validate "${model[@]}" --data "data/$set"
  done
  for set in "${sets[@]}"; do
    log "data/$set: $(wc -l <"data/$set/text") utterances"
  done
  mark_done "$expdir/.data.done" "$entry"
}

# Data directories of other places are test sets like those under data.
link_ood() {
  local dir name
  for dir in "${ood_dirs[@]}"; do
    name=$(basename "$dir")
    [[ -d $dir ]] || fail "--ood must name data directories; '$dir' is none."
    [[ ! data/$name -ef $dir ]] || continue
    [[ ! -e data/$name ]] ||
      fail "--ood must name directories of other names than data/*; '$name' is there."
    ln -sfn "$(realpath "$dir")" "data/$name"
  done
}

# From validation sets utterances are dropped, so as test sets they have a second name.
link_valid() {
  local name
  for name in "${expert_names[@]}"; do
    [[ ! -e data/${name}_dev || data/${name}_dev -ef data/${name}_valid ]] ||
      fail "--eval_valid_set true makes data/${name}_dev, which is there: name it in" \
        "--test_sets instead."
    ln -sfn "${name}_valid" "data/${name}_dev"
  done
}

# tables_checksum DIRECTORY: checksum of the tables that decide audio and labels.
tables_checksum() {
  if [[ ! -d $1 && $listing == true ]]; then return; fi
  find "$1/" -maxdepth 1 -type f \
    \( -name wav.scp -o -name text -o -name segments -o -name 'utt2*' \) -print0 |
    sort -z | xargs -0 cat | cksum
}

# Stage 2
perturb_speed() {
  if ((${#factors[@]} == 0)); then
    log "no --speed_factors: nothing to do"
    return
  fi
  local name
  for name in "${learned[@]}"; do
    local in=data/${name}_train out=data/${name}_train_sp sum
    sum=$(tables_checksum "$in")
    words="$speed_factors $sum"
    must_make "$out/.done" "" "perturbing $in" "--speed_factors $speed_factors" "$in=$sum" ||
      continue
    rm -rf "$out"
    espnet-merge perturb --data "$in" --output "$out" \
      --factors 1.0 "${factors[@]}"
    mark_done "$out/.done" "$entry"
  done
}

# Stage 3
format_audio() {
  local set
  for set in "${all_sets[@]}"; do format_set "$set"; done
  run_plan format="$nj"
}

format_set() { # SET
  local in=data/$1 out=$dumpdir/org/$1 log=$dumpdir/org/$1.log
  words=$(tables_checksum "$in")
  is_todo "$out/.done" "$log" "formatting $in" "$in=$words" || return 0
  if [[ $listing == false ]]; then rm -rf "$out"; fi
  plan_job format "formatting $in" "$out/.done" "" "$train_cmd" "$log" \
    espnet-merge format --data "$in" --output "$out"
}

# Stage 5
filter_utterances() {
  run_parallel "$nj" filter_set "${all_sets[@]}"
  local name members
  for name in "${!mixed[@]}"; do
    read -ra members <<<"${mixed[$name]}"
    combine_sets "$dumpdir/${name}_train" "${members[@]/%/$train_suffix}"
    combine_sets "$dumpdir/${name}_valid" "${members[@]/%/_valid}"
  done
}

filter_set() { # SET
  local limits=(--min-seconds "$min_train_seconds" --max-seconds "$max_train_seconds")
  local most=$max_valid_utterances
  if [[ " ${tests[*]} " == *" $1 "* ]]; then
    limits=(--keep-all) most=$max_test_utterances
  elif [[ " ${train_sets[*]} " == *" $1 "* ]]; then
    most=$max_train_utterances
  fi
  if [[ -n $most ]]; then limits+=(--max-utterances "$most"); fi
  local inputs=("$dumpdir/org/$1/.done" "$expdir/base/tokenizer.json")
  words="${limits[*]} $(fingerprint "${inputs[@]}")"
  must_make "$dumpdir/$1/.done" "" "filtering $dumpdir/org/$1" "${limits[*]}" "${inputs[@]}" ||
    return 0
  rm -rf "${dumpdir:?}/$1"
  espnet-merge filter --data "$dumpdir/org/$1" --output "$dumpdir/$1" \
    --model "$expdir/base" "${limits[@]}" >&2
  mark_done "$dumpdir/$1/.done" "$entry"
}

combine_sets() { # OUTPUT SET...
  local out=$1 inputs
  shift
  inputs=("${@/#/$dumpdir/}")
  inputs=("${inputs[@]/%//.done}")
  words=$(fingerprint "${inputs[@]}")
  must_make "$out/.done" "$out.log" "combining into $out" "${inputs[@]}" || return 0
  rm -rf "$out"
  utils/combine_data.sh --extra-files "utt2task utt2num_samples" \
    "$out" "${@/#/$dumpdir/}" >"$out.log" 2>&1 ||
    fail "combining into $out failed; see $out.log."
  mark_done "$out/.done" "$entry"
}
