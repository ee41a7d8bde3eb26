# shellcheck shell=bash disable=SC2154
# Source me. Several seeds: a run of merge.sh with each, and one table of all. Expects the
# options of merge.sh and the variables of names.sh.

# run_seeds: one run with each seed, in its own directory, and one table of all.
run_seeds() {
  local seed dir name first with_table=false
  first=$(first_seed)
  if ((stop_stage == 11)) && ! is_skipped 11 && [[ $dry_run == false ]]; then with_table=true; fi
  for seed in $seeds; do
    dir=$expdir/seed_$seed
    if [[ $dry_run == true ]]; then
      echo "seed $seed"
    else
      mkdir -p "$dir"
    fi
    if [[ $seed != "$first" && $dry_run == false ]]; then # these do not depend on the seed
      for name in base zero_shot stats "${taken[@]}"; do
        ln -sfn "../seed_$first/$name" "$dir/"
      done
    fi
    attended "$0" "${given[@]}" --seeds "" --expdir "$dir" \
      --train_args "$train_args --seed $seed"
    if [[ $with_table == true ]]; then
      save_seed "$seed"
      # Files of other seeds may be of an earlier configuration, until these are run.
      [[ $seed == "${seeds##* }" ]] || write_seeds || log "no table before the last seed"
    fi
  done
  if [[ $with_table == true ]]; then write_seeds; fi
}

# first_seed: whose directory has what does not depend on the seed.
first_seed() {
  local dir
  for dir in "$expdir"/seed_*; do
    if [[ -d $dir/base && ! -L $dir/base ]]; then
      echo "${dir##*/seed_}"
      return
    fi
  done
  echo "${seeds%% *}"
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
  for system in "${merged[@]}"; do args+=(--made-of "$system=$(recipe_of "$system")"); done
  mkdir -p "$results"
  espnet-merge seeds --base zero_shot "${args[@]}" --sets "${tests[@]}" \
    --configuration "$(configuration)" --save "$results/seed_$1.json"
}

recipe_of() { # MERGE: its configuration, without comments, as a checksum; and how it was searched
  local file=${space_of[$1]:-${config_of[$1]:-}}
  echo "${space_of[$1]:+searched $search_args }$(parts "$file" | cksum)"
}

# configuration: how systems are made with every seed, in one line.
configuration() {
  local files=("$full_config" "$lora_config" "${soup_file[@]}")
  echo "experts $experts${expert_models:+ of $expert_models}; base $base; speeds $speed_factors;" \
    "$min_train_seconds to $max_train_seconds s," \
    "${max_train_utterances:-all} utterances, ${max_valid_utterances:-all} for validation;" \
    "train $train_args $joint_args" \
    "$objectives_args $(fingerprint "${files[@]}"); merge $merge_args;" \
    "statistics $statistics_args; decode $decode_args ;" \
    "route $router_args $routed_args $(fingerprint "$mixture_config")" | xargs
}

# Every seed that is kept, of whichever day and machine.
write_seeds() {
  local picture=()
  if ((${#together[@]})); then picture=(--picture "$expdir/SEEDS.png"); fi
  espnet-merge seeds --load "$results"/seed_*.json --output "$expdir/SEEDS.md" \
    "${picture[@]}"
}
