#!/usr/bin/env bats

# add_language.sh and remove_language.sh, with stand-ins for the stages of merge.sh and
# for the command: what they are given, what they leave, and whether a change is found.

. "$BATS_TEST_DIRNAME/recipe.bash"

setup() {
  make_recipe
  mkdir -p exp/zero_shot exp/lora_{es,it_news}/model
  echo small >exp/zero_shot/.done
  for name in es it_news; do echo "adapter of $name" >"exp/lora_$name/model/weights"; done

  cat >"$tree/.venv/bin/espnet-merge" <<'EOF'
#!/usr/bin/env bash
set -euo pipefail
echo "$*" >>calls
if [[ $1 == decode ]]; then
  while (($#)); do
    case $1 in --adapter) adapter=$2 ;; --output) output=$2 ;; esac
    shift
  done
  if [[ -f $output/text.json ]]; then exit; fi
  mkdir -p "$output"
  cat "$adapter/weights" >"$output/text"
  printf '{\n "mode": {},\n "utterances": {%s}\n}\n' "$(cat "$adapter/weights")" >"$output/text.json"
fi
EOF
  in_place_of_merge <<'EOF'
set -euo pipefail
echo "merge.sh $*" >>calls
if [[ "$*" == "--stage 7 "* ]]; then
  mkdir -p exp/lora_cs/model
  echo "adapter of cs" >exp/lora_cs/model/weights
fi
EOF
  chmod +x "$tree/.venv/bin/espnet-merge"
}

add() { run "$template/add_language.sh" "$@"; }
remove() { run "$template/remove_language.sh" "$@"; }

@test "a language is added: similarity, warm start, all decoded, the old ones proved" {
  add --language cs --train_args "--max_epoch 2" --data_opts "--langs cs"
  [ "$status" -eq 0 ]
  [[ $output == *"es: the same to the byte"* && $output == *"it_news: the same"* ]]
  grep -q -- "merge.sh --stage 1 --stop_stage 6 --experts cs --kinds lora .* --base small .* --data_opts --langs cs" calls
  grep -q -- "similarity --model exp/base --data dump/raw/cs_train --languages es,it --output exp/similarity_cs --overwrite" calls
  grep -q -- "merge.sh --stage 7 .* --train_args --max_epoch 2 --init_adapter auto --init_similarity exp/similarity_cs/similarity.json --init_adapters es=exp/lora_es/model --init_adapters it=exp/lora_it_news/model" calls
  [ "$(cat exp/lora_cs/inference_as_trained/cs_test/text)" = "adapter of cs" ]
  [ "$(grep -c '^score ' calls)" -eq 3 ]
  [ ! -e exp/lora_es/inference_as_trained/again ]
  # The training is checked against what is asked for here, and taken by merge.sh.
  grep -q -- "merge.sh --stage 7 .* --take_added false " calls
  [ -e exp/lora_cs/.added ]
}

@test "a named start, or none, needs no similarity" {
  add --language cs --init it_news
  [ "$status" -eq 0 ]
  grep -q -- "--train_args  --init_adapter exp/lora_it_news/model" calls
  add --language cs --init none
  [ "$status" -eq 0 ]
  run grep -c "^similarity" calls
  [ "$output" -eq 0 ]
}

@test "a mixture of the adapters of similar languages" {
  touch exp/lora_it_news/model/mixture_config.json
  add --language cs --init mixture --nearest 1
  [ "$status" -eq 0 ]
  grep -q -- "^similarity .* --languages es,it " calls
  grep -q -- "--lora_config conf/train/mixture.yaml .* --train_args  --mixture_conf nearest=1 --init_similarity exp/similarity_cs/similarity.json --init_adapters es=exp/lora_es/model$" calls
}

@test "one trained language leaves nothing to choose" {
  rm -r exp/lora_it_news
  add --language cs
  [ "$status" -eq 0 ]
  grep -q -- "--init_adapter exp/lora_es/model" calls
}

@test "an old language that changes is found" {
  add --language cs --stop_stage 4
  [ "$status" -eq 0 ]
  echo "another adapter" >exp/lora_es/model/weights
  add --language cs --stage 5
  [ "$status" -eq 2 ]
  [[ $output == *"error: the hypotheses of es must be what they were"* ]]
}

@test "a language is removed and kept aside" {
  add --language cs
  remove --language cs
  [ "$status" -eq 0 ]
  [ ! -e exp/lora_cs ]
  [ -f exp/removed_cs/model/weights ]
  [[ $output == *"it_news: the same to the byte"* ]]
  # Once more: it is gone, and the others are still the same.
  remove --language cs
  [ "$status" -eq 0 ]
}

@test "bad options end with 2, one line, and nothing done" {
  add
  [ "$status" -eq 2 ]
  [[ $output == *"--language must name the new expert"* ]]
  add --language cs --init fr
  [ "$status" -eq 2 ]
  [[ $output == *"--init must be auto, least, mixture, none, or one of 'es it_news'; got 'fr'"* ]]
  add --language cs --stage 7
  [ "$status" -eq 2 ]
  add --language cs --decode_config nowhere
  [ "$status" -eq 2 ]
  [[ $output == *"conf/decode/nowhere.yaml does not exist"* ]]
  remove
  [ "$status" -eq 2 ]
  remove --language fr
  [ "$status" -eq 2 ]
  [[ $output == *"there is none: exp has 'es it_news'"* ]]
  rm -r exp/lora_*
  add --language cs
  [ "$status" -eq 2 ]
  [[ $output == *"must hold a trained LoRA expert"* ]]
  [ ! -e calls ]
}
