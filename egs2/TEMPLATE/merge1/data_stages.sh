# shellcheck shell=bash disable=SC2154
# Source me. Stages 1 to 3 and 5 of merge.sh: make, check, format and filter data
# directories. Expects the options of merge.sh and the variables that it derives from them.

# Stage 1
prepare_data() {
  local words
  read -ra words <<<"$data_opts"
  local/data.sh "${words[@]}"
  link_ood
  if [[ $eval_valid_set == true ]]; then link_valid; fi
  local set trains=("${learned[@]/%/_train}")
  for set in "${trains[@]}" "${valid_sets[@]}" "${tests[@]}"; do
    [[ -d data/$set ]] || fail "local/data.sh must make data/$set; it did not."
  done
  # The user's own base may know other languages than Whisper.
  local model=()
  if [[ -d $base ]]; then model=(--model "$base"); fi
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
  for set in "${trains[@]}" "${valid_sets[@]}" "${tests[@]}"; do
    log "data/$set: $(wc -l <"data/$set/text") utterances"
  done
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
    local out=data/${name}_train_sp words
    words="$speed_factors $(tables_checksum "data/${name}_train")"
    is_done "$out/.done" "$words" && continue
    rm -rf "$out"
    espnet-merge perturb --data "data/${name}_train" --output "$out" \
      --factors 1.0 "${factors[@]}"
    mark_done "$out/.done" "$words"
  done
}

# Stage 3
format_audio() { run_parallel "$nj" format_set "${all_sets[@]}"; }

format_set() { # SET
  local in=data/$1 out=$dumpdir/org/$1 log=$dumpdir/org/$1.log words
  words=$(tables_checksum "$in")
  if is_done "$out/.done" "$words"; then return; fi
  rm -rf "$out"
  JOB_INPUTS=$words run_job "$train_cmd" "$log" espnet-merge format --data "$in" --output "$out" ||
    fail "formatting $in: $(last_error "$log")"
  mark_done "$out/.done" "$words"
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
  local words most=$max_valid_utterances
  if [[ " ${tests[*]} " == *" $1 "* ]]; then
    limits=(--keep-all) most=$max_test_utterances
  elif [[ " ${train_sets[*]} " == *" $1 "* ]]; then
    most=$max_train_utterances
  fi
  if [[ -n $most ]]; then limits+=(--max-utterances "$most"); fi
  words="${limits[*]} $(fingerprint "$dumpdir/org/$1/.done" "$expdir/base/tokenizer.json")"
  if is_done "$dumpdir/$1/.done" "$words"; then return; fi
  rm -rf "${dumpdir:?}/$1"
  espnet-merge filter --data "$dumpdir/org/$1" --output "$dumpdir/$1" \
    --model "$expdir/base" "${limits[@]}" >&2
  mark_done "$dumpdir/$1/.done" "$words"
}

combine_sets() { # OUTPUT SET...
  local out=$1 words
  shift
  words=$(cd "$dumpdir" && fingerprint "${@/%//.done}")
  if is_done "$out/.done" "$words"; then return; fi
  rm -rf "$out"
  utils/combine_data.sh --extra-files "utt2task utt2num_samples" \
    "$out" "${@/#/$dumpdir/}" >"$out.log" 2>&1 ||
    fail "combining into $out failed; see $out.log."
  mark_done "$out/.done" "$words"
}
