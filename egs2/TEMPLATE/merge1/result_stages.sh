# shellcheck shell=bash disable=SC2154
# Source me. Stages 9 to 11 of merge.sh: hypotheses, scores, the report, and the table of
# several seeds. Expects the options of merge.sh and the variables that it derives from them.

# Stage 9
decode_systems() {
  mkdir -p "$expdir"
  mark_done "$expdir/.renewed" ""
  run_parallel "$decode_nj" decode_system "${decoded[@]}"
  if has_route routed; then link_routed; fi
}

decode_system() { # SYSTEM
  local dir=$expdir/$1 mode out words model=(--model "$expdir/$1/model") ways
  if is_lora "$1"; then model=(--model "$expdir/base" --adapter "$dir/model"); fi
  if [[ $1 == routed_heard ]]; then
    mapfile -t model < <(router_options)
    model+=(--model "$expdir/base")
  fi
  read -ra ways <<<"$(modes_of "$1")"
  for mode in "${ways[@]}"; do
    out=$dir/inference_$mode
    words="$(fingerprint "${decode_file[$mode]}") ${decode_words[*]} $(fingerprint "$dir/.done")"
    words+=" $(cd "$dumpdir" && fingerprint "${tests[@]/%//.done}")"
    if is_done "$out/.done" "$words"; then continue; fi
    JOB_INPUTS=$words decode_by_jobs "$inference_nj" "$out" "${model[@]}" --overwrite \
      --config "${decode_file[$mode]}" --data "${tests[@]/#/$dumpdir/}" \
      --output "${tests[@]/#/$out/}" "${decode_words[@]}"
    mark_done "$out/.done" "$words"
  done
  log "decoded by $1"
  renew_report &
  wait "$!" || log "the report was not renewed: see $expdir/renewed.log"
}

# Now and then: the report of what is decoded so far. A run does not end for a fault of it.
renew_report() {
  local system mode ready=() set
  ((report_every)) || return 0
  [[ -z $(find "$expdir/.renewed" -newermt "-$report_every seconds") ]] || return 0
  exec 8>>"$expdir/.renewed"
  flock --nonblock 8 || return 0
  for system in "${decoded[@]}"; do
    for mode in $(modes_of "$system"); do
      [[ -f $expdir/$system/inference_$mode/.done ]] || continue 2
    done
    ready+=("$system")
  done
  decoded=("${ready[@]}")
  for set in "${tests[@]}"; do score_set "$set"; done >"$expdir/renewed.log" 2>&1
  write_report --running >>"$expdir/renewed.log" 2>&1
  touch "$expdir/.renewed"
}

modes_of() { # SYSTEM
  if [[ $1 == zero_shot ]]; then echo "${base_modes[@]}"; else echo "${modes[@]}"; fi
}

# Stage 10
score_systems() { run_parallel "$nj" score_set "${tests[@]}"; }

score_set() { # SET: score all systems with one command
  local mode system dirs=()
  for system in "${decoded[@]}"; do
    for mode in $(modes_of "$system"); do dirs+=("$expdir/$system/inference_$mode/$1"); done
  done
  espnet-merge score --ref "$dumpdir/$1" --hyp "${dirs[@]}" --normalizer "$normalizer" \
    --keep-current >&2
}

# Stage 11
write_report() { # [OPTION]...
  local kind name args=(--merges "${merged[@]}" --experts)
  for kind in "${kind_names[@]}"; do
    for name in "${trained_names[@]}"; do args+=("$name=${kind}_$name"); done
  done
  for name in "${taken_names[@]}"; do args+=("$name=own_$name"); done
  mapfile -t -O "${#args[@]}" args < <(group_options)
  if ((${#together[@]})); then args+=(--joint "${together[@]}"); fi
  if ((${#route_names[@]})); then args+=(--routed "${route_names[@]}"); fi
  if [[ -n $base_decode_config ]]; then args+=(--base-inference "${base_modes[0]}"); fi
  espnet-merge report --expdir "$expdir" --base zero_shot "${args[@]}" \
    --sets "${tests[@]}" --inference "${modes[@]}" "$@"
}

# save_seed SEED: keep the errors of its systems in a small file, with what is to be shown.
save_seed() {
  local dir=$expdir/seed_$1 system ways args=()
  for system in "${systems[@]}"; do
    read -ra ways <<<"$(modes_of "$system")"
    args+=(--row "$system" "${tests[@]/#/$dir/$system/inference_${ways[0]}/}")
  done
  mapfile -t -O "${#args[@]}" args < <(group_options)
  if ((${#together[@]})); then args+=(--baseline "${together[@]}"); fi
  if ((${#merged[@]})); then args+=(--merges "${merged[@]}"); fi
  mkdir -p "$results"
  espnet-merge seeds --base zero_shot "${args[@]}" --sets "${tests[@]}" \
    --configuration "$(configuration)" --save "$results/seed_$1.json"
}

group_options() { # the test sets of each expert's group, one word a line
  local name own
  echo --group
  for name in "${expert_names[@]}"; do
    mapfile -t own < <(sets_of "$name" "${tests[@]}")
    echo "$name=$(join_by_comma "${own[@]}")"
  done
}

# configuration: how systems are made with every seed, in one line.
configuration() {
  local files=("$full_config" "$lora_config" "${soup_file[@]}")
  echo "experts $experts${expert_models:+ of $expert_models}; base $base; speeds $speed_factors;" \
    "at most ${max_train_utterances:-all} utterances; train $train_args $joint_args" \
    "$objectives_args $(fingerprint "${files[@]}"); merge $merge_args;" \
    "statistics $statistics_args; decode $decode_args" \
    "${routes:+; route $router_args $routed_args $(fingerprint "$mixture_config")}" | xargs
}

# Every seed that is kept, of whichever day and machine.
write_seeds() {
  espnet-merge seeds --load "$results"/seed_*.json --output "$expdir/SEEDS.md"
}
