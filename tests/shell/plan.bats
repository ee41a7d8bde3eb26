#!/usr/bin/env bats

# What merge.sh plans: what is to be made and why, in which order it runs, and how far it is;
# with stand-ins for training and for the command.

. "$BATS_TEST_DIRNAME/recipe.bash"

setup() {
  make_recipe
  echo 'pwd' >"$tree/tools/espnet_root.sh"
  mkdir -p local conf
  cp "$root/conf/slurm.conf" conf/
  for set in {es,it}_{train,valid,test} joint_{train,valid}; do
    mkdir -p "dump/raw/$set"
    echo "$set" >"dump/raw/$set/.done"
  done
  cp "$tree/conf/merge/ties.yaml" conf/mine.yaml
  echo "params: {density: 0.3}" >>conf/mine.yaml
  printf '#!/usr/bin/env bash\necho "$*" >>calls\n' >python
  touch waits broken
  # A name in "waits" has the command wait for a file; a name in "broken" has it fail.
  cat >"$tree/.venv/bin/espnet-merge" <<'EOF_MERGE'
#!/usr/bin/env bash
set -euo pipefail
echo "espnet-merge $*" >>calls
name=
while (($#)); do
  if [[ $1 == --output ]]; then
    name=${2#exp/}
    mkdir -p "$2"
  elif [[ $1 == --hyp ]]; then
    for dir in "${@:2}"; do
      [[ $dir != --* ]] || break
      mkdir -p "$dir" && touch "$dir/score.json"
    done
  elif [[ $1 == --expdir ]]; then
    touch "$2/RESULTS.md"
  fi
  shift
done
name=${name%%/inference*}
touch "started.${name//\//.}"
for _ in {1..100}; do
  file=$(sed -n "s|^$name ||p" waits)
  if [[ -z $file || -e $file ]]; then break; fi
  sleep 0.1
done
if [[ -n $file && ! -e $file ]] || grep -qx "$name" broken; then
  echo "espnet-merge: error: $name: no room" >&2
  exit 2
fi
EOF_MERGE
  chmod +x python "$tree/tools/espnet_root.sh" "$tree/.venv/bin/espnet-merge"
}

go() {
  run "$template/merge.sh" --stage 7 --stop_stage 9 --python ./python --kinds full --joint "" \
    --experts "es it" --test_sets "es_test it_test" --merge_configs "soup conf/mine.yaml" "$@"
}

# settled: a run that has made everything.
settled() {
  mkdir -p exp/zero_shot && echo base >exp/zero_shot/.done
  go "$@"
  [ "$status" -eq 0 ]
  : >calls
}

has_line() { grep -qxF -- "$1" <<<"$output"; } # WORDS

@test "a dry run says what each stage would make, and why, and writes nothing" {
  find . >before
  go --stage 1 --stop_stage 11 --dry_run
  [ "$status" -eq 0 ]
  has_line "stage 3: 0 done, 6 to do"
  has_line "  formatting data/es_train: new"
  has_line "  training full_es: new"
  has_line "stage 8: 0 done, 2 to do"
  has_line "  merging by mine: new"
  has_line "  decoding by zero_shot: new"
  has_line "stage 10: 0 done, 2 to do"
  find . >after
  diff <(grep -v before before) <(grep -v -e before -e after after)
}

@test "a dry run of several seeds says so for each, and writes nothing" {
  go --dry_run --seeds "0 1" --train_args "--max_epoch 1"
  [ "$status" -eq 0 ]
  has_line "seed 0"
  has_line "seed 1"
  [ "$(grep -c "^stage 7: 0 done, 2 to do$" <<<"$output")" -eq 2 ]
  [ ! -e exp ]
}

@test "a dry run on SLURM says what would be submitted, with what it asks for" {
  mkdir -p exp/zero_shot && echo base >exp/zero_shot/.done
  cmd_backend=slurm go --dry_run --inference_nj 2 --decode_args "--device cuda" --ngpu 2
  [ "$status" -eq 0 ]
  grep -qE '^sbatch .*--mem-per-cpu 8G --job-name full_es .*--gres=gpu:2 .*# training full_es$' <<<"$output"
  grep -qE '^sbatch .*--mem-per-cpu 4G .*--array=1-2 +# merging by soup, merging by mine$' <<<"$output"
  # Each in two parts, and joined: the base at once, experts when trained, merges when merged.
  for what in "2 +# decoding by zero_shot" \
    "5 +# decoding by zero_shot, decoding by full_es, decoding by full_it" \
    "6 +# decoding by full_es, decoding by full_it, decoding by soup, decoding by mine" \
    "2 +# decoding by soup, decoding by mine"; do
    grep -qE "^sbatch .*--gres=gpu:1 .*--array=1-$what$" <<<"$output"
  done
  [ ! -e exp/.plan.tsv ]
}

@test "what is there is done; what changed is made again, and says what changed" {
  settled
  go --dry_run
  has_line "stage 7: 2 done, 0 to do"
  has_line "stage 8: 2 done, 0 to do"
  has_line "stage 9: 5 done, 0 to do"

  sed -i 's/0.3/0.5/' conf/mine.yaml
  go
  [ "$status" -eq 0 ]
  [[ $output == *"merging by mine: starts (configuration changed: params"* ]]
  [[ $output == *"decoding by mine: starts (input newer: exp/mine"* ]]
  [ "$(grep -c "^espnet-merge merge" calls)" -eq 1 ]
  [ "$(grep -c "^espnet-merge decode" calls)" -eq 1 ]
}

@test "other options of training train again, and what depends on it is made again" {
  settled
  echo kept >exp/full_es/1epoch.pth
  go --train_args "--max_epoch 2 --seed 1" --stop_stage 7
  [ "$status" -eq 0 ]
  [[ $output == *"training full_es: starts (option changed: --max_epoch, --seed; what was there is now exp/replaced/full_es.1"* ]]
  [ "$(cat exp/replaced/full_es.1/1epoch.pth)" = kept ]
  [ "$(grep -c -- "--output_dir" calls)" -eq 2 ]
  go --train_args "--max_epoch 2 --seed 1" --dry_run
  has_line "  merging by soup: input newer: exp/full_es, exp/full_it"
  has_line "  decoding by full_es: new" # it was set aside with the old model
  has_line "stage 9: 1 done, 4 to do"
  go --train_args "--max_epoch 3 --seed 1" --dry_run
  has_line "  training full_es: option changed: --max_epoch"
  has_line "  merging by soup: input newer: exp/full_es, exp/full_it"
}

@test "what a training starts from decides it, beside the base" {
  with() {
    go --stop_stage 7 "$@" --train_args \
      "--init_similarity exp/like/similarity.json --init_adapters x=exp/lora_x/model"
  }
  mkdir -p exp/{other,lora_x}/model exp/like
  ln -s other/model exp/base # what a new language is added to
  for file in exp/other/.done exp/lora_x/.done exp/like/similarity.json; do echo 1 >"$file"; done
  with
  [ "$status" -eq 0 ]
  with --dry_run
  has_line "stage 7: 2 done, 0 to do"
  for file in exp/other/.done exp/lora_x/.done exp/like/similarity.json; do
    echo 2 >"$file"
    with --dry_run
    has_line "  training full_es: input newer: ${file%/.done}"
    with
  done
  with --dry_run
  has_line "stage 7: 2 done, 0 to do"
}

@test "a merge by statistics is made again when these are" {
  with() { go --stage 8 --stop_stage 8 --expert_models "es=x it=y" --merge_configs regmean; }
  for name in own_es own_it; do mkdir -p "exp/$name" && echo "$name" >"exp/$name/.done"; done
  with
  [ "$status" -eq 0 ]
  [ "$(grep -c "^espnet-merge merge" calls)" -eq 1 ]
  echo other >dump/raw/es_train/.done
  with
  [[ $output == *"merging by regmean: starts (input newer: exp/own_es/.gram"* ]]
  [ "$(grep -c "^espnet-merge merge" calls)" -eq 2 ]
}

@test "hypotheses that were being overwritten are no result of what they were" {
  settled
  cp conf/mine.yaml before.yaml
  sed -i 's/0.3/0.5/' conf/mine.yaml
  echo mine/inference_as_trained/es_test >broken
  # Of hypotheses the stand-in asks for the directory, not for the system.
  sed -i '/^name=.*inference/d' "$tree/.venv/bin/espnet-merge"
  go
  [ "$status" -eq 2 ]
  cp before.yaml conf/mine.yaml
  : >broken
  go
  [ "$status" -eq 0 ]
  [[ $output == *"decoding by mine: done"* ]]
}

@test "another configuration of training is named by its keys" {
  cp "$tree/conf/train/full.yaml" conf/full.yaml
  settled --full_config conf/full.yaml
  echo "accum_grad: 7 # more" >>conf/full.yaml
  go --full_config conf/full.yaml
  [ "$status" -eq 0 ]
  [[ $output == *"training full_it: starts (configuration changed: accum_grad; what was there"* ]]
}

@test "other options of decoding decode again, and no more" {
  settled
  go --decode_args "--max-new-tokens 8"
  [ "$status" -eq 0 ]
  [[ $output == *"decoding by soup: starts (option changed: --max-new-tokens"* ]]
  [ "$(grep -vc "^espnet-merge decode" calls)" -eq 0 ]
  [ "$(grep -c "^espnet-merge decode" calls)" -eq 5 ]
}

@test "other limits of data filter again, and train again" {
  for set in {es,it}_{train,valid,test}; do
    mkdir -p "dump/raw/org/$set"
    echo "$set" >"dump/raw/org/$set/.done"
    rm -r "dump/raw/$set"
  done
  mkdir -p exp/base && touch exp/base/tokenizer.json
  mkdir -p exp/zero_shot && echo base >exp/zero_shot/.done
  with() { go --skip_stages 6 --stage 5 "$@"; }
  with
  [ "$status" -eq 0 ]
  : >calls
  with --max_train_utterances 9
  [ "$status" -eq 0 ]
  [[ $output == *"filtering dump/raw/org/es_train: starts (option changed: --max-utterances"* ]]
  [[ $output == *"training full_es: starts (input newer: dump/raw/es_train; what was there"* ]]
  [ "$(grep -c "^espnet-merge filter" calls)" -eq 2 ]
  : >calls
  with --max_train_utterances 9 --max_test_utterances 5
  [[ $output == *"decoding by zero_shot: starts (input newer: dump/raw/es_test, dump/raw/it_test"* ]]
  [ "$(grep -c "^espnet-merge decode" calls)" -eq 5 ]
  [ "$(grep -c -- --output_dir calls)" -eq 0 ]
}

@test "scores and report are written again when something is new, or is not there" {
  settled --stop_stage 11
  count() { grep -c "^espnet-merge $1" calls; }
  go --stop_stage 11
  [ ! -s calls ]
  rm exp/soup/inference_as_trained/it_test/score.json
  go --stop_stage 11
  [ "$status" -eq 0 ]
  [[ $(count score) -eq 1 && $(count report) -eq 1 ]]
  grep -q "^espnet-merge score --ref dump/raw/it_test " calls
  go --stop_stage 11 --normalizer fold
  [[ $output == *"scoring es_test: starts (option changed: --normalizer"* ]]
  [[ $(count score) -eq 3 && $(count report) -eq 2 ]]
  go --stop_stage 11 --normalizer fold --decode_args "--beam 2" --dry_run
  [[ $output == *"scoring es_test: input newer: exp/full_es/inference_as_trained, exp/full_it/inference_as_trained, exp/mine/inference_as_trained and 2 more"* ]]
  rm exp/RESULTS.md
  go --stop_stage 11 --normalizer fold
  [[ $(count score) -eq 3 && $(count report) -eq 3 && $(count decode) -eq 0 ]]
  # By hand, without the recipe.
  touch -d "+1 second" exp/soup/inference_as_trained/it_test/score.json
  go --stop_stage 11 --normalizer fold
  [[ $(count report) -eq 4 ]]
}

@test "a base whose files have changed is refused" {
  mkdir whisper && echo 1 >whisper/weights
  go --base "$PWD/whisper" --stage 4 --stop_stage 4
  [ "$status" -eq 0 ]
  go --base "$PWD/whisper" --stage 4 --stop_stage 4
  [ "$(grep -c "^espnet-merge fetch" calls)" -eq 1 ]
  echo 22 >whisper/weights
  go --base "$PWD/whisper" --stage 4 --stop_stage 4
  [ "$status" -eq 2 ]
  [[ $output == *"error: exp/base must be made of '$PWD/whisper' as it is; its files have changed"* ]]
}

@test "a mark of an earlier release, of one line, is taken" {
  settled
  for mark in exp/*/.done exp/*/inference_*/.done; do sed -i '2,$d' "$mark"; done
  go
  [ "$status" -eq 0 ]
  [ ! -s calls ]
  sed -i 's/0.3/0.5/' conf/mine.yaml
  go --dry_run
  has_line "  merging by mine: made by other settings or inputs"
}

@test "merges run side by side, and a system is decoded while another is merged" {
  mkdir -p exp/zero_shot && echo base >exp/zero_shot/.done
  # Each waits for the other to begin; then one of them for the other's hypotheses.
  printf '%s\n' "soup/model started.mine.model" "mine/model started.soup" >waits
  go
  [ "$status" -eq 0 ]
}

@test "an expert is decoded while another is trained, and the base meanwhile" {
  mkdir -p exp/zero_shot && echo base >exp/zero_shot/.done
  cat >>python <<'EOF_PYTHON'
if [[ $* == *"--output_dir exp/full_es "* ]]; then
  for _ in {1..100}; do
    if [[ -e started.full_it && -e started.zero_shot ]]; then exit; fi
    sleep 0.1
  done
  exit 1
fi
EOF_PYTHON
  go --train_nj 2
  [ "$status" -eq 0 ]
  [ "$(grep -c "^espnet-merge merge" calls)" -eq 2 ]
}

@test "a training that fails is told with its reason; the other expert is decoded" {
  mkdir -p exp/zero_shot && echo base >exp/zero_shot/.done
  echo '[[ $* != *exp/full_es\ * ]] || { echo "whisper_train: error: no room" >&2; exit 1; }' >>python
  go
  [ "$status" -eq 2 ]
  [[ $output == *"error: training full_es: whisper_train: error: no room; see exp/full_es/train.log."* ]]
  [[ $output == *"decoding by full_it: done"* ]]
  [[ ! -e exp/full_es/.done && -e exp/full_it/.done ]]
  [ "$(grep -c "^espnet-merge merge" calls)" -eq 0 ]
}

@test "what does not depend on a failure goes on, and what does waits" {
  mkdir -p exp/zero_shot && echo base >exp/zero_shot/.done
  echo soup/model >broken
  go
  [ "$status" -eq 2 ]
  [[ $output == *"error: merging by soup: espnet-merge: error: soup/model: no room"* ]]
  [[ $output == *"1 job(s) wait for what has failed"* ]]
  [[ $output == *"decoding by mine: done"* ]]
  [ ! -e exp/soup/.done ]

  go --status
  [ "$status" -eq 0 ]
  has_line "exp: 7 done, 1 failed, 1 waiting; about a minute left" ||
    has_line "exp: 7 done, 1 failed, 1 waiting"
  has_line "  stage 8: 1 done, 1 failed"
  [[ $output == *"failed: merging by soup: exp/soup/merge.log, last written "*" s ago"* ]]
  has_line "  | espnet-merge: error: soup/model: no room"

  : >broken
  : >calls
  go
  [ "$status" -eq 0 ]
  [ "$(wc -l <calls)" -eq 2 ]
  go --status
  has_line "exp: 9 done"
}

@test "what runs is told with its log" {
  mkdir -p exp/zero_shot && echo base >exp/zero_shot/.done
  echo "mine/model go" >waits
  "$template/merge.sh" --stage 7 --stop_stage 9 --python ./python --kinds full --joint "" \
    --experts "es it" --test_sets "es_test it_test" --merge_configs "soup conf/mine.yaml" \
    >screen 2>&1 3>&- &
  until [[ -e started.mine.model && -s exp/soup/.done ]]; do sleep 0.1; done
  go --status
  touch go
  wait
  [[ $output == *"running: merging by mine: exp/mine/merge.log, last written "* ]]
  has_line "  stage 8: 1 done, 1 running"
}

@test "jobs keep the lock, though who started them is killed" {
  mkdir -p exp/zero_shot && echo base >exp/zero_shot/.done
  echo "mine/model go" >waits
  setsid "$template/merge.sh" --stage 7 --stop_stage 8 --python ./python --kinds full \
    --joint "" --experts "es it" --test_sets es_test --merge_configs conf/mine.yaml \
    >screen 2>&1 3>&- &
  until [[ -e started.mine.model ]]; do sleep 0.1; done
  for pid in $(ps -o pid= -s "$!"); do
    if grep -qE "merge.sh|run_plan" "/proc/$pid/cmdline"; then kill -9 "$pid"; fi
  done
  wait || true
  run flock --nonblock exp/.lock true
  [ "$status" -eq 1 ]
  touch go
  flock exp/.lock true
}

@test "a training that was cut goes on, and one with other options is another" {
  settled
  rm exp/full_es/.done
  go --dry_run
  has_line "  training full_es: not finished"
  go --dry_run --train_args "--seed 3"
  has_line "  training full_es: option changed: --seed"
}

@test "there is no progress without a run" {
  go --status
  [ "$status" -eq 2 ]
  [[ $output == *"error: exp: must hold .plan.tsv of a run; it does not"* ]]
}
