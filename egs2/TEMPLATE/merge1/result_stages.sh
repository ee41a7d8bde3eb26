# shellcheck shell=bash disable=SC2154,SC2004
# Source me. Stages 9 to 11 of merge.sh: hypotheses, scores and the report. Expects the
# options of merge.sh and the variables of names.sh.

# Stage 9
decode_systems() {
  local system mode
  for system in "${decoded[@]}"; do
    for mode in $(modes_of "$system"); do decode_system "$system" "$mode"; done
  done
  if has_route routed; then link_routed; fi
}

# A system may be decoded once it is merged, while others are not.
decode_system() { # SYSTEM MODE
  local dir=$expdir/$1 out=$expdir/$1/inference_$2 model=(--model "$expdir/$1/model")
  local what="decoding by $1" sets=("${tests[@]/#/$dumpdir/}")
  local needs="$dir/launch.log $dir/merge.log $dir/search.log"
  if [[ $2 != "${modes[0]}" && $1 != zero_shot ]]; then what+=", $2"; fi
  if is_lora "$1"; then model=(--model "$expdir/base" --adapter "$dir/model"); fi
  if [[ $1 == routed_heard ]]; then
    mapfile -t model < <(router_options)
    model+=(--model "$expdir/base")
    will_say[$dir/.done]=$(router_words)
    needs="$dir/router.log ${lora_experts[*]/%//launch.log}"
  fi
  words="$(fingerprint "${decode_file[$2]}") ${decode_words[*]} $(fingerprint "$dir/.done")"
  words+=" $(fingerprint "${sets[@]/%//.done}")"
  is_todo "$out/.done" "$out/decode.log $out/decode.*.log" "$what" "${decode_file[$2]}" \
    "${decode_words[*]}" "$dir/.done" "${sets[@]/%//.done}" || return 0
  plan_decoding "$what" "$out/.done" "$needs" "$out" "${model[@]}" \
    --overwrite --config "${decode_file[$2]}" --data "${sets[@]}" \
    --output "${tests[@]/#/$out/}" "${decode_words[@]}"
}

# renewing COMMAND...: run it as attended does, and meanwhile write the report of what is
# decoded so far, every report_every seconds. A run does not end for a fault of that.
renewing() {
  local renewer processes status=0
  if [[ $listing == true ]] || ((report_every == 0)); then
    attended "$@"
    return
  fi
  keep_renewing 9>&- & # it has no part in the lock
  renewer=$!
  started "$@" <&0 &
  wait "$!" || status=$?
  mapfile -t processes < <(echo "$renewer" && descendants "$renewer")
  kill "${processes[@]}" 2>/dev/null || true
  wait "$renewer" || true
  return "$status"
}

keep_renewing() { # until the run is over, or has been killed
  local status last=$SECONDS log=$expdir/renewed.log
  while sleep 1 && kill -0 $$ 2>/dev/null; do
    ((SECONDS - last >= report_every)) || continue
    renew_report >"$log.part" 2>&1 &
    status=0
    wait "$!" || status=$?
    mv "$log.part" "$log"
    ((status == 0)) || log "the report was not renewed: see $log"
    last=$SECONDS
  done
}

renew_report() {
  local system mode set dirs=() args
  for system in "${decoded[@]}"; do
    for mode in $(modes_of "$system"); do
      [[ -f $expdir/$system/inference_$mode/.done ]] || continue 2
      dirs+=("$expdir/$system/inference_$mode")
    done
  done
  ((${#dirs[@]})) || return 0
  for set in "${tests[@]}"; do score "$set" "${dirs[@]/%//$set}"; done
  mapfile -t args < <(report_options)
  espnet-merge report "${args[@]}" --running
}

modes_of() { # SYSTEM
  if [[ $1 == zero_shot ]]; then echo "${base_modes[@]}"; else echo "${modes[@]}"; fi
}

# Stage 10
score_systems() {
  local rules
  rules=$(code_of score)
  run_parallel "$nj" score_set "${tests[@]}"
}

score_set() { # SET: score all systems with one command
  local mode system dir dirs=() marks=() mark=$expdir/.$1.scored.done ref=$dumpdir/$1
  local table=$expdir/scoring.$1.log
  for system in "${decoded[@]}"; do
    for mode in $(modes_of "$system"); do
      dir=$expdir/$system/inference_$mode
      dirs+=("$dir/$1")
      marks+=("$dir/.done")
    done
  done
  words="$normalizer ${dirs[*]} $rules $(fingerprint "$ref/.done" "${marks[@]}")"
  for dir in "${dirs[@]}"; do
    # What has been removed is written again.
    if [[ $listing == false && ! -f $dir/score.json ]]; then rm -f "$mark"; fi
  done
  must_make "$mark" "" "scoring $1" "--normalizer $normalizer" "$ref/.done" "${marks[@]}" ||
    return 0
  score "$1" "${dirs[@]}" >"$table"
  mark_done "$mark" "$entry"
  log "scoring $1: done; counts of each system are in $table"
}

score() { # SET HYPOTHESES...
  espnet-merge score --ref "$dumpdir/$1" --hyp "${@:2}" --normalizer "$normalizer" \
    --keep-current
}

# Stage 11
# report_options: which systems and sets it shows, a word a line.
report_options() {
  local kind name args=(--merges "${merged[@]}" --experts)
  for kind in "${kind_names[@]}"; do
    for name in "${trained_names[@]}"; do args+=("$name=${kind}_$name"); done
  done
  for name in "${taken_names[@]}"; do args+=("$name=own_$name"); done
  mapfile -t -O "${#args[@]}" args < <(group_options)
  if ((${#together[@]})); then args+=(--joint "${together[@]}"); fi
  if ((${#route_names[@]})); then args+=(--routed "${route_names[@]}"); fi
  if [[ -n $base_decode_config ]]; then args+=(--base-inference "${base_modes[0]}"); fi
  printf '%s\n' --expdir "$expdir" --base zero_shot "${args[@]}" --sets "${tests[@]}" \
    --inference "${modes[@]}"
}

group_options() { # the test sets of each expert's group, one word a line
  local name own
  echo --group
  for name in "${expert_names[@]}"; do
    mapfile -t own < <(sets_of "$name" "${tests[@]}")
    echo "$name=$(join_by_comma "${own[@]}")"
  done
}

write_report() {
  local name mark inputs=() args
  mapfile -t args < <(report_options)
  for name in "${tests[@]}"; do
    mark=$expdir/.$name.scored.done
    if [[ -n ${will_say[$mark]:-} || -f $mark ]]; then inputs+=("$mark"); fi
  done
  mark=$expdir/.report.done
  words="${args[*]} $(fingerprint "${inputs[@]}") $(code_of report)"
  forget_report "$mark"
  must_make "$mark" "" "writing the report" "${args[*]}" "${inputs[@]}" || return 0
  espnet-merge report "${args[@]}"
  mark_done "$mark" "$entry"
}

# forget_report MARK: have it written where it is not there, or scores are newer.
forget_report() {
  local file
  if [[ $listing == true ]]; then return; fi
  if [[ ! -f $expdir/RESULTS.md ]]; then rm -f "$1"; fi
  for file in "$expdir"/*/inference_*/*/score.json; do
    if [[ $file -nt $1 ]]; then rm -f "$1"; fi
  done
}

# code_of ROOM: checksum of the files of a part of the package, in a clone or installed.
code_of() {
  local package=../../../espnet_merge
  if [[ ! -d $package ]]; then
    package=$("$python" -c 'import espnet_merge; print(*espnet_merge.__path__)')
  fi
  find -L "$package/$1" -type f -not -name '*.pyc' -print0 | sort -z |
    xargs -0 cat | cksum
}
