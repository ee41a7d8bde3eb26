# shellcheck shell=bash disable=SC2154
# Source me. Stages 1 to 4 of merge.sh: data directories that are checked, formatted and
# filtered. Expects its options and the names that it makes of them.

# Stage 1
prepare_data() {
  local words
  read -ra words <<<"$data_opts"
  local/data.sh "${words[@]}"
  local set
  for set in "${expert_names[@]/%/_train}" "${valid_sets[@]}" "${tests[@]}"; do
    [[ -d data/$set ]] || fail "local/data.sh must make data/$set; it did not."
    utils/validate_data_dir.sh --no-feats --non-print "data/$set" \
      >"data/$set.log" 2>&1 ||
      fail "data/$set must be a Kaldi data directory; see data/$set.log."
    log "data/$set: $(wc -l <"data/$set/text") utterances"
  done
}

# Stage 2
perturb_speed() {
  if ((${#factors[@]} == 0)); then
    log "no --speed_factors: nothing to do"
    return
  fi
  local name
  for name in "${expert_names[@]}"; do
    local out=data/${name}_train_sp words
    words="$speed_factors $(fingerprint "data/${name}_train/"{text,wav.scp})"
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
  local in=data/$1 out=$dumpdir/org/$1 file words
  words=$(fingerprint "$in"/{text,wav.scp,utt2lang,utt2task})
  if is_done "$out/.done" "$words"; then return; fi
  rm -rf "$out"
  mkdir -p "$out"
  for file in text utt2spk spk2utt utt2lang utt2task; do cp "$in/$file" "$out/"; done
  scripts/audio/format_wav_scp.sh --nj 1 --cmd "$train_cmd" --fs 16k \
    --audio-format flac --out-filename wav.scp "$in/wav.scp" "$out" \
    "$out/logs" "$out/data" >"$out/format.log" 2>&1 ||
    fail "$in has a recording that cannot be read: $(last_error "$out"/logs/*.log);" \
      "repair or remove it, then run again."
  mark_done "$out/.done" "$words"
}

# Stage 4
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
  local seconds=$max_seconds few=() words
  if [[ $1 != *_test ]]; then seconds=$max_train_seconds; fi
  if [[ -n $max_train_utterances && " ${train_sets[*]} " == *" $1 "* ]]; then
    few=(--max-utterances "$max_train_utterances")
  fi
  words="$min_seconds $seconds ${few[*]+${few[*]} }$(fingerprint "$dumpdir/org/$1/.done")"
  if is_done "$dumpdir/$1/.done" "$words"; then return; fi
  rm -rf "${dumpdir:?}/$1"
  espnet-merge filter --data "$dumpdir/org/$1" --output "$dumpdir/$1" \
    --min-seconds "$min_seconds" --max-seconds "$seconds" "${few[@]}" >&2
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
