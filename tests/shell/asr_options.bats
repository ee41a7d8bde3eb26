#!/usr/bin/env bats

# The options of ESPnet's asr.sh: each is known here, or refused with a reason.

. "$BATS_TEST_DIRNAME/recipe.bash"

setup() {
  make_recipe
  echo 'pwd' >"$tree/tools/espnet_root.sh"
  cat >"$tree/.venv/bin/espnet-merge" <<'EOF_MERGE'
#!/usr/bin/env bash
echo "espnet-merge $*" >>calls
EOF_MERGE
  chmod +x "$tree/tools/espnet_root.sh" "$tree/.venv/bin/espnet-merge"
}

merge() { run "$template/merge.sh" --experts es --test_sets es_test --merge_configs "" "$@"; }

@test "each has a meaning or a reason" {
  asr=$("$root/tools/espnet_root.sh")/egs2/TEMPLATE/asr1/asr.sh || skip "needs make setup"
  names=$(sed -n '/^stage=/,/^help_message/s/^\([a-z][a-z0-9_]*\)=.*/\1/p' "$asr" | grep -v help_message)
  [ "$(wc -l <<<"$names")" -gt 100 ]
  help=$("$template/merge.sh" --help)
  for name in $names; do
    if grep -q -- "^--$name " <<<"$help"; then continue; fi
    run "$template/merge.sh" "--$name" true
    [ "$status" -eq 2 ]
    [[ $output == "merge.sh: error: option '$name' of ESPnet is not one here: "* ]]
  done
  [ "$(grep -cE -- "^--($(paste -sd '|' <<<"$names")) " <<<"$help")" -gt 25 ]
}

@test "the reason is a line that says what to do" {
  merge --train-set train
  [ "$status" -eq 2 ]
  [ "$output" = "merge.sh: error: option 'train-set' of ESPnet is not one here: an expert NAME learns from data/NAME_{train,valid}, say --experts." ]
  merge --skip_upload_hf false
  [ "$status" -eq 2 ]
  [[ $output == *"--skip_upload must be true: a recipe uploads nothing; espnet-merge push does." ]]
}

@test "validation sets are decoded as test sets of a second name, in the group of their expert" {
  mkdir -p local data/es_{train,valid,test}
  touch data/es_{train,valid,test}/text
  printf '#!/usr/bin/env bash\n' >local/data.sh
  chmod +x local/data.sh
  for _ in once again; do
    merge --eval_valid_set true --stop_stage 1
    [ "$status" -eq 0 ]
    [ "$(readlink data/es_dev)" = es_valid ]
  done
  grep -q -- "^espnet-merge validate --data data/es_dev$" calls
  merge --eval_valid_set true --stage 11
  [ "$status" -eq 0 ]
  grep -q -- "^espnet-merge report .*--group es=es_test,es_dev .*--sets es_test es_dev " calls
  rm data/es_dev
  mkdir data/es_dev
  merge --eval_valid_set true --stop_stage 1
  [ "$status" -eq 2 ]
  [[ $output == *"--eval_valid_set true makes data/es_dev, which is there"* ]]
}

@test "decoding on a GPU" {
  mkdir -p exp/zero_shot exp/full_es dump/raw/es_test
  touch exp/{zero_shot,full_es}/.done dump/raw/es_test/.done
  merge --kinds full --gpu_inference true --stage 9 --stop_stage 9 --base_decode_config ""
  [ "$status" -eq 0 ]
  [ "$(grep -c -- "^espnet-merge decode .*--hear --device cuda$" calls)" -eq 2 ]
}
