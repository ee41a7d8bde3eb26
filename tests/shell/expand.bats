#!/usr/bin/env bats

# expand.sh, with stand-ins for the stages of merge.sh and for the command: what each way
# to add a language is given, what is decoded, and what goes into which row.

. "$BATS_TEST_DIRNAME/recipe.bash"

setup() {
  make_recipe
  cat >"$tree/.venv/bin/espnet-merge" <<'EOF'
#!/usr/bin/env bash
set -euo pipefail
echo "$*" >>calls
if [[ $1 == decode ]]; then
  while [[ $1 != --output ]]; do shift; done
  for dir in "${@:2}"; do
    mkdir -p "$dir"
    touch "$dir/text.json"
  done
elif [[ $1 == similarity ]]; then
  mkdir -p exp/expand/similarity
elif [[ $* == *" --save "* ]]; then
  printf '%s\n' "$@" >"${*: -1:1}" # the file to save
fi
EOF
  in_place_of_merge <<'EOF'
set -euo pipefail
echo "merge.sh $*" >>calls
EOF
  chmod +x "$tree/.venv/bin/espnet-merge"
}

expand() { run "$template/expand.sh" --old "es it" --new cs --seeds "1 2" "$@"; }

@test "every way and seed is trained from what it should be" {
  expand --train_args "--max_epoch 1"
  [ "$status" -eq 0 ]
  similar="--init_similarity exp/expand/similarity/similarity.json --init_adapters es=exp/expand/lora_es/model --init_adapters it=exp/expand/lora_it/model"
  args() { sed -n "s|^merge.sh --stage 7 .* --expdir exp/expand/$1/cs --train_args ||p" calls; }
  [ "$(args seed1/scratch)" = "--max_epoch 1 --seed 1 " ]
  [ "$(args seed2/warm)" = "--max_epoch 1 --seed 2 --init_adapter auto $similar" ]
  [ "$(args seed1/least)" = "--max_epoch 1 --seed 1 --init_adapter least $similar" ]
  [ "$(args seed1/mixture)" = "--max_epoch 1 --seed 1 --mixture_conf nearest=2 $similar" ]
  grep -q -- "--lora_config ../../../conf/train/mixture.yaml --expdir exp/expand/seed1/mixture/cs" calls
  grep -q -- "--kinds full .*--expdir exp/expand/seed2/full/cs" calls
  [ "$(readlink exp/expand/seed1/full/cs/base)" = ../../../joint/model ]
  [ "$(readlink exp/expand/seed1/warm/cs/base)" = ../../../base ]
  [ "$(grep -c '^merge.sh --stage 7 ' calls)" -eq 10 ]
}

@test "full fine-tuning is heard on the old languages, an adapter on the new one alone" {
  expand --ways "warm full" --seeds 1
  [ "$status" -eq 0 ]
  grep -q -- "decode --model exp/expand/base --adapter exp/expand/seed1/warm/cs/lora_cs/model .* --data dump/raw/cs_test --output" calls
  grep -q -- "decode --model exp/expand/base --config .*padded.yaml .* --data dump/raw/cs_test dump/raw/es_test dump/raw/it_test " calls
  grep -q -- "decode --model exp/expand/joint/model .* --data dump/raw/cs_test dump/raw/es_test dump/raw/it_test " calls
  grep -q -- "decode --model exp/expand/base --adapter exp/expand/joint_lora/model .* --data dump/raw/cs_test dump/raw/es_test " calls
  grep -q -- "decode --model exp/expand/base --adapter exp/expand/lora_it/model .* --data dump/raw/it_test --output" calls
  grep -q -- "decode --model exp/expand/seed1/full/cs/full_cs/model .* --data dump/raw/cs_test dump/raw/es_test dump/raw/it_test --output" calls
  row() { sed -n "/^$1\$/,/^--/p" exp/expand/results/seed_1.json | grep "^exp" | sort | xargs; }
  warm=exp/expand/seed1/warm/cs/inference_as_trained full=exp/expand/seed1/full/cs/inference_as_trained
  old="exp/expand/lora_es/inference_as_trained/es_test exp/expand/lora_it/inference_as_trained/it_test"
  [ "$(row "+ cs, warm")" = "$old $warm/cs_test" ]
  [ "$(row "+ cs, full")" = "$full/cs_test $full/es_test $full/it_test" ]
  [ "$(row "each its own, full")" = "${old//lora_/full_}" ]
  [ "$(row "joint, LoRA" | wc -w)" -eq 3 ]
}

@test "sets that belong to old experts, or to none, are columns too" {
  expand --ways "warm full" --seeds 1 --test_sets "es_tv_test it_ood_test" --groups "es=es_tv_test"
  [ "$status" -eq 0 ]
  grep -q -- "decode --model exp/expand/base --adapter exp/expand/lora_es/model .* --data dump/raw/es_test dump/raw/es_tv_test --output" calls
  grep -q -- "decode --model exp/expand/seed1/full/cs/full_cs/model .* --data dump/raw/cs_test dump/raw/es_test dump/raw/es_tv_test dump/raw/it_test dump/raw/it_ood_test --output" calls
  [[ $(xargs <exp/expand/results/seed_1.json) == *"--sets cs_test es_test it_test es_tv_test it_ood_test --mean old=es_test,es_tv_test,it_test --configuration"* ]]
}

@test "each seed is kept in a file, and the tables are of all that are kept" {
  mkdir -p kept && echo "of another day" >kept/seed_0.json
  expand --ways "scratch warm" --results kept --max_train_seconds 3 --nj 5
  [ "$status" -eq 0 ]
  grep -q "^joint, full$" kept/seed_1.json
  grep -q "^each its own, LoRA$" kept/seed_2.json # trained once: the same in every file
  grep -qx "exp/expand/seed2/warm/cs/inference_as_trained/cs_test" kept/seed_2.json
  said=$(grep "^old es it; new cs; " kept/seed_2.json)
  [[ $said == *"--max_train_seconds 3; train"* && $said != *"--nj"* ]]
  files="kept/seed_0.json kept/seed_1.json kept/seed_2.json"
  grep -qx "seeds --load $files --output exp/expand/EXPAND.md" calls
  grep -qx "seeds --load $files --sets cs_test --mean cs=cs_test --baseline + cs, scratch --output exp/expand/EXPAND.cs.md" calls
}

@test "every configuration of training is what the seeds have in common" {
  kept() { sed -n '/^--configuration$/,/^--save$/p' exp/expand/results/seed_1.json; }
  for kind in full lora mixture; do
    cp "$tree/conf/train/$kind.yaml" $kind.yaml
    expand --seeds 1 --stage 7 --${kind}_config $kind.yaml
    before=$(kept)
    echo "accum_grad: 7" >>$kind.yaml
    expand --seeds 1 --stage 7 --${kind}_config $kind.yaml
    [ "$(kept)" != "$before" ]
  done
}

@test "what is scored is what is decoded, and nothing else that lies there" {
  mkdir -p exp/expand/zero_shot/inference_tail/cs_test # of a try that was ended
  expand --seeds 1 --ways "scratch full"
  [ "$status" -eq 0 ]
  [ "$(grep -c "^score" calls)" -eq 3 ]
  words=$(grep "^score --ref dump/raw/cs_test" calls)
  [[ $words != *inference_tail* && $words != *lora_es* ]]
  [[ $words == *"exp/expand/zero_shot/inference_padded/cs_test exp/expand/joint/inference_as_trained/cs_test "* ]]
  [[ $(grep "^score --ref dump/raw/es_test" calls) == *"seed1/full/cs/inference_as_trained/es_test"* ]]
}

@test "other data of a new language is heard again" {
  expand --seeds 1
  before=$(grep -c ^similarity calls)
  mkdir -p dump/raw/cs_train && echo other >dump/raw/cs_train/.done
  expand --seeds 1 --stage 3 --stop_stage 3
  [ "$(grep -c ^similarity calls)" -eq $((before + 1)) ]
}

@test "what is done is not done again" {
  expand
  before=$(grep -c ^similarity calls)
  expand --stage 3 --stop_stage 3
  [ "$(grep -c ^similarity calls)" -eq "$before" ]
  decoded=$(grep -c ^decode calls)
  expand --stage 5 --stop_stage 5
  [ "$(grep -c ^decode calls)" -eq "$decoded" ]
  expand --stage 5 --stop_stage 5 --base_decode_config tail
  [[ $output == *"decoding by zero_shot: starts (new)"* ]]
  [ "$(grep -c ^decode calls)" -eq $((decoded + 1)) ]
}

@test "bad options end with 2 and nothing done" {
  run "$template/expand.sh" --old es
  [ "$status" -eq 2 ]
  [[ $output == *"--new must name the new experts"* ]]
  expand --ways "warm wild"
  [ "$status" -eq 2 ]
  [[ $output == *"--ways must be of scratch, warm, least, mixture and full; got 'wild'"* ]]
  expand --mixture_config nowhere
  [ "$status" -eq 2 ]
  [ ! -e calls ]
}

@test "what it does not own is passed on" {
  expand --nj 5 --ngpu 1 --decode_args "--beam 2" --ways full --seeds 1
  [ "$status" -eq 0 ]
  [ "$(grep -c -- '^merge.sh .* --nj 5 --ngpu 1' calls)" -eq "$(grep -c '^merge.sh' calls)" ]
  [ "$(grep -c -- '^decode .* --overwrite --beam 2 .*--data' calls)" -eq "$(grep -c '^decode' calls)" ]
  expand --kinds lora
  [ "$status" -eq 2 ]
  [[ $output == *"unknown option 'kinds'"* ]]
}
