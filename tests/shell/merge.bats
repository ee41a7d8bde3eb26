#!/usr/bin/env bats

# merge.sh with stand-ins for training and for the command: which systems are trained on
# what and from what, and that a run with seeds is a run of each.

. "$BATS_TEST_DIRNAME/recipe.bash"

setup() {
  make_recipe
  echo 'pwd' >"$tree/tools/espnet_root.sh"
  for name in one two; do echo "objectives_conf: {}" >"$tree/conf/train/objectives_$name.yaml"; done
  for set in {es,it,es-en,joint,recognition,translation}_{train,valid}; do
    mkdir -p "dump/raw/$set"
    echo "$set" >"dump/raw/$set/.done"
  done

  # Both note how they are called; export leaves a model.
  cat >python <<'EOF_PYTHON'
#!/usr/bin/env bash
set -euo pipefail
echo "$*" >>calls
EOF_PYTHON
  cat >"$tree/.venv/bin/espnet-merge" <<'EOF_MERGE'
#!/usr/bin/env bash
set -euo pipefail
echo "espnet-merge $*" >>calls
while (($#)); do
  if [[ $1 == --output && $2 == */model ]]; then mkdir -p "$2"; fi
  shift
done
EOF_MERGE
  chmod +x python "$tree/tools/espnet_root.sh" "$tree/.venv/bin/espnet-merge"
}

train() {
  run "$template/merge.sh" --stage 7 --stop_stage 7 --python ./python --kinds full \
    --experts "es it es-en" --test_sets "es_test es-en_test" --merge_configs soup "$@"
}

# call SYSTEM: how it was trained.
call() { grep -- "--output_dir exp/$1 " calls; }

line_of() { grep -n -- "--output_dir exp/$1 " calls | cut -d : -f 1; }

@test "two stages: recognition first, then translation from its model" {
  train --two_stage true --train_args "--max_epoch 2"
  [ "$status" -eq 0 ]
  [[ $(call recognition) == *"whisper_train "*"--whisper exp/base "*raw/recognition_train/text* ]]
  [[ $(call two_stage) == *"whisper_train "*"--whisper exp/recognition/model "* ]]
  [[ $(call two_stage) == *raw/translation_train/text*raw/translation_valid/text* ]]
  [[ $(call two_stage) == *"stats/translation/train/speech_shape"*"--max_epoch 2" ]]
  [ "$(grep -c -- --output_dir calls)" -eq 6 ] # joint and three experts
  [ "$(line_of recognition)" -lt "$(line_of two_stage)" ]
}

@test "what is trained is not trained again, unless what it starts from is new" {
  train --two_stage true
  before=$(wc -l <calls)
  train --two_stage true
  [ "$status" -eq 0 ]
  [ "$(wc -l <calls)" -eq "$before" ]
  echo other >dump/raw/recognition_train/.done
  train --two_stage true
  [ "$status" -eq 0 ]
  [[ $output == *"training recognition: starts (input newer: dump/raw/recognition_train; what was there is now exp/replaced/recognition.1"* ]]
  [[ $output == *"training two_stage: starts (input newer: exp/recognition; "* ]]
  [ "$(grep -c -- --output_dir calls)" -eq 8 ]
}

@test "objective soups are trained on the data of all experts, by their own command" {
  train --joint "" --objectives "objectives_one conf/train/objectives_two.yaml"
  [ "$status" -eq 0 ]
  for name in one two; do
    [[ $(call "$name") == *"-m espnet_merge.bin.objectives_train "* ]]
    [[ $(call "$name") == *"--config ../../../conf/train/objectives_$name.yaml "* ]]
    [[ $(call "$name") == *"--whisper exp/base "*raw/joint_train/text* ]]
  done
  [ "$(grep -c -- --output_dir calls)" -eq 5 ]
}

@test "both tasks are needed for two stages" {
  train --two_stage true --experts "es it"
  [ "$status" -eq 2 ]
  [[ $output == *"--two_stage needs experts of both tasks, as 'es es-en'; got 'es it'."* ]]
}

@test "options for what is trained together reach it alone" {
  train --two_stage true --objectives objectives_one --train_args "--max_epoch 2" \
    --joint_args "--accum_grad 6" --objectives_args "--objectives_conf pace=19"
  [ "$status" -eq 0 ]
  for name in joint recognition two_stage; do
    [[ $(call "$name") == *" --max_epoch 2 --accum_grad 6" ]]
  done
  [[ $(call one) == *" --max_epoch 2 --objectives_conf pace=19" ]]
  [[ $(call full_es) == *" --max_epoch 2" ]]
}

@test "an unknown objective soup is named" {
  train --objectives objectives_none
  [ "$status" -eq 2 ]
  [[ $output == *"conf/train/objectives_none.yaml does not exist; there are:"* ]]
}

@test "a run with seeds is a run of each, and what no seed changes is shared" {
  train --seeds "3 4" --expdir exp/seeds --joint "" --train_args "--max_epoch 1"
  [ "$status" -eq 0 ]
  for seed in 3 4; do
    for name in es it es-en; do
      grep -q -- "--output_dir exp/seeds/seed_$seed/full_$name .*--max_epoch 1 --seed $seed$" calls
    done
  done
  [ "$(grep -c -- --output_dir calls)" -eq 6 ]
  for name in base zero_shot stats; do
    [ "$(readlink "exp/seeds/seed_4/$name")" = "../seed_3/$name" ]
  done
  run grep "espnet-merge seeds" calls
  [ "$status" -eq 1 ]
}

@test "after the last stage each seed is kept, and all that are kept are put into a table" {
  mkdir -p results
  touch results/seed_7.json # of another day
  train --seeds "0 1" --results results --stage 11 --stop_stage 11
  [ "$status" -eq 0 ]
  grep -q -- "^espnet-merge report --expdir exp/seed_1 .*--joint joint" calls
  [ "$(grep -c "^espnet-merge seeds .*--save" calls)" -eq 2 ]
  words=$(grep "^espnet-merge seeds .*--save results/seed_1.json$" calls)
  place=zero_shot/inference_padded
  [[ $words == "espnet-merge seeds --base zero_shot --row zero_shot exp/seed_1/$place/es_test exp/seed_1/$place/es-en_test --row joint "* ]]
  place=full_es-en/inference_as_trained
  [[ $words == *"--row full_es-en exp/seed_1/$place/es_test exp/seed_1/$place/es-en_test --row soup "* ]]
  [[ $words == *" --group es=es_test it= es-en=es-en_test --baseline joint --merges soup --made-of soup="*" --sets es_test es-en_test --configuration experts es it es-en; base base; "* ]]
  grep -q -- "^espnet-merge seeds --load results/seed_7.json --output exp/SEEDS.md --picture exp/SEEDS.png$" calls
}

@test "files of an earlier configuration do not keep later seeds from running" {
  sed -i '2a if [[ $* == *"seeds --load"* \&\& ! -e all_new ]]; then exit 2; fi' \
    "$tree/.venv/bin/espnet-merge"
  sed -i '2a if [[ $* == *"--save"*"seed_1.json" ]]; then touch all_new; fi' \
    "$tree/.venv/bin/espnet-merge"
  train --seeds "0 1" --stage 11 --stop_stage 11
  [ "$status" -eq 0 ]
  [[ $output == *"no table before the last seed"* ]]
  grep -q -- "^espnet-merge report --expdir exp/seed_1 " calls
  grep -q "^espnet-merge seeds --load" calls
}

@test "seeds of another day share what these have" {
  train --seeds 4 --joint ""
  mkdir exp/seed_4/base exp/seed_4/zero_shot
  train --seeds "3 4 5" --joint ""
  [ "$status" -eq 0 ]
  for seed in 3 5; do [ "$(readlink "exp/seed_$seed/base")" = ../seed_4/base ]; done
  [ ! -L exp/seed_4/base ]
}

@test "what a merge is made of is kept with the seed, without comments" {
  mkdir mine && cp "$tree/conf/merge/ties.yaml" mine/
  kept() { # what is kept of ties
    : >calls
    train --seeds 0 --stage 11 --stop_stage 11 --merge_configs mine/ties.yaml
    sed -n 's/.* --made-of ties=\([0-9 ]*\) .*/\1/p' calls
  }
  before=$(kept)
  [ -n "$before" ]
  echo "# only a comment" >>mine/ties.yaml
  [ "$(kept)" = "$before" ]
  echo "params: {density: 0.5}" >>mine/ties.yaml
  [ "$(kept)" != "$before" ]
  train --seeds 0 --stage 11 --stop_stage 11 --search tsv_m --search_args "--trials 9"
  grep -qE -- "--made-of tsv_m_searched=searched --trials 9 [0-9]+ [0-9]+ --" calls
}

@test "what two seeds have in common is the same text, and another with other options" {
  for epochs in 1 2; do
    train --seeds "0 1" --stage 11 --stop_stage 11 --train_args "--max_epoch $epochs"
  done
  configurations=$(sed -n 's/^espnet-merge seeds.*--configuration \(.*\) --save.*/\1/p' calls)
  [ "$(wc -l <<<"$configurations")" -eq 4 ]
  [ "$(sort -u <<<"$configurations" | wc -l)" -eq 2 ]
}

@test "the report knows every system that learned of several experts" {
  train --two_stage true --objectives objectives_one --stage 11 --stop_stage 11
  [ "$status" -eq 0 ]
  grep -q -- "--experts es=full_es it=full_it es-en=full_es-en --group es=es_test it= es-en=es-en_test --joint joint two_stage one recognition " calls
}

@test "sets belong to the experts of their groups, others to their languages or to none" {
  groups=(--experts "es es_news" --groups "es_news=es_tv_test es=es_phone_test,es_test"
    --test_sets "es_test es_news_test es_tv_test es_ood_test es_phone_test en_test")
  train "${groups[@]}" --seeds 0 --stage 11 --stop_stage 11
  [ "$status" -eq 0 ]
  grep -q -- "--experts es=full_es es_news=full_es_news --group es=es_test,es_phone_test es_news=es_news_test,es_tv_test --joint" calls
  [[ $(grep "^espnet-merge seeds .*--save" calls) == *"--group es=es_test,es_phone_test es_news=es_news_test,es_tv_test --baseline"* ]]
}

@test "groups that cannot be are refused before anything is done" {
  refused() { # GROUPS MESSAGE
    train --groups "$1" --experts "es es_news" --test_sets "es_test es_news_test"
    [ "$status" -eq 2 ]
    [[ $output == *"error: --groups must $2" ]]
    [ "$(wc -l <<<"$output")" -eq 1 ]
  }
  refused "es" "be of NAME=SET,SET, as 'es=es_phone_test'; got 'es'."
  refused "it=es_test" "name experts, which are 'es es_news'; got 'it' in 'it=es_test'."
  refused "es=es_tv" "name test sets, which are 'es_test es_news_test'; got 'es_tv' in 'es=es_tv'."
  refused "es=es_news_test" "give a set to one expert; got 'es_news_test' for 'es_news' and 'es'."
  [ ! -e calls ]
}

@test "two files of one name would be one system, one mode or one set" {
  mkdir -p mine
  cp "$tree/conf/merge/soup.yaml" "$tree/conf/decode/tail.yaml" mine/
  cp "$tree/conf/merge/soup.yaml" mine/full_es.yaml
  train --merge_configs "soup mine/soup.yaml"
  [ "$status" -eq 2 ]
  [[ $output == *"every merge must have a name of its own; 'soup' is there twice."* ]]
  train --merge_configs mine/full_es.yaml
  [ "$status" -eq 2 ]
  [[ $output == *"every system must have a name of its own; 'full_es' is there twice."* ]]
  train --decode_configs "tail mine/tail.yaml"
  [ "$status" -eq 2 ]
  [[ $output == *"every decoding mode must have a name of its own; 'tail' is there"* ]]
  cp mine/tail.yaml mine/padded.yaml
  train --decode_configs mine/padded.yaml
  [ "$status" -eq 2 ]
  [[ $output == *"--base_decode_config and --decode_configs must have names of their own; "* ]]
  train --test_sets "es_test es_test"
  [ "$status" -eq 2 ]
  [[ $output == *"every test set must have a name of its own; 'es_test' is there twice."* ]]
  [ ! -e calls ]
}

@test "coefficients are searched on validation sets, beside the default" {
  with_search() { train --experts "es it" --stop_stage 8 --search tsv_m --merge_configs tsv_m "$@"; }
  for name in full_es full_it; do mkdir -p "exp/$name"; done
  with_search
  [ "$status" -eq 0 ]
  [ "$(grep -c "^espnet-merge merge " calls)" -eq 1 ]
  call=$(grep "^espnet-merge search " calls)
  [[ $call == *"--space ../../../conf/search/tsv_m.yaml --base exp/base --experts exp/full_es/model exp/full_it/model --data dump/raw/es_valid dump/raw/it_valid --decode-config ../../../conf/decode/as_trained.yaml --normalizer basic --output exp/tsv_m_searched --overwrite --trials 30" ]]
  with_search
  [ "$(grep -c "^espnet-merge search " calls)" -eq 1 ]
  with_search --search_args "--trials 40"
  [[ $(grep "^espnet-merge search " calls | tail -n 1) == *"--output exp/tsv_m_searched --trials 40" ]]
  echo other >dump/raw/it_valid/.done
  with_search --stage 8 --search_args "--trials 40"
  [[ $(grep "^espnet-merge search " calls | tail -n 1) == *"--overwrite --trials 40" ]]
  train --experts "es it" --stage 11 --stop_stage 11 --search tsv_m
  [[ $(grep "^espnet-merge report " calls) == *"--merges soup tsv_m_searched"* ]]
  train --experts "es it" --stage 11 --stop_stage 11 --search "tsv_m soup" \
    --merge_configs "soup tsv_m ties"
  [[ $(grep "^espnet-merge report " calls | tail -n 1) == *"--merges soup soup_searched tsv_m tsv_m_searched ties"* ]]
  train --search soap
  [ "$status" -eq 2 ]
  [[ $output == *"conf/search/soap.yaml does not exist; there are:"* ]]
}

@test "test sets are filtered by nothing, whatever they are called" {
  for set in {es,it}_{train,valid} es_test_clean; do
    mkdir -p "dump/raw/org/$set"
    touch "dump/raw/org/$set/.done"
    rm -rf "dump/raw/$set"
  done
  mkdir -p exp/base
  touch exp/base/tokenizer.json
  cat >"$tree/.venv/bin/espnet-merge" <<'EOF_FILTER'
#!/usr/bin/env bash
set -euo pipefail
echo "espnet-merge $*" >>calls
while [[ $1 != --output ]]; do shift; done
mkdir -p "$2"
EOF_FILTER
  train --stage 5 --stop_stage 5 --experts "es it" --test_sets es_test_clean --joint "" \
    --max_train_seconds 8 --max_train_utterances 9
  [ "$status" -eq 0 ]
  grep -q -- "--output dump/raw/es_test_clean --model exp/base --keep-all$" calls
  grep -q -- "--output dump/raw/es_valid --model exp/base --min-seconds 0.1 --max-seconds 8$" calls
  grep -q -- "--output dump/raw/es_train --model exp/base .* --max-seconds 8 --max-utterances 9$" calls
}

@test "further options reach the command that merges" {
  train --joint ""
  train --joint "" --stage 8 --stop_stage 8 --merge_args "--device cuda --jobs 4"
  [ "$status" -eq 0 ]
  grep -q -- "^espnet-merge merge --config .*soup.yaml .* --overwrite --device cuda --jobs 4$" calls
}

route() { train --kinds lora --merge_kind lora --joint "" --experts "es it" "$@"; }

@test "a mixture is trained when the experts are, and is of these alone" {
  route --routes mixture
  [ "$status" -eq 0 ]
  [[ $(call mixture) == *"--config ../../../conf/train/mixture.yaml "*"--whisper exp/base "* ]]
  [[ $(call mixture) == *raw/joint_train/text*"--mixture_conf adapters=[exp/lora_es/model,exp/lora_it/model]" ]]
  [ "$(line_of lora_it)" -lt "$(line_of mixture)" ]
  before=$(wc -l <calls)
  route --routes mixture
  [ "$(wc -l <calls)" -eq "$before" ]
  echo other >exp/lora_es/.done
  touch exp/lora_es/.added # by add_language.sh, with options of its own
  route --routes mixture
  [ "$status" -eq 0 ]
  [[ $output == *"training mixture: starts (input newer: exp/lora_es; what was there is now exp/replaced/mixture.1"* ]]
}

@test "a router is trained once, on the data of all experts" {
  route --routes routed_heard --router_args "--c 2"
  [ "$status" -eq 0 ]
  route --routes routed_heard --router_args "--c 2"
  [ "$(grep "^espnet-merge router" calls)" = "espnet-merge router --model exp/base --train es=dump/raw/es_train it=dump/raw/it_train --valid es=dump/raw/es_valid it=dump/raw/it_valid --output exp/routed_heard/router --overwrite --c 2" ]
}

@test "what is routed is linked or decoded, and the report knows it" {
  for set in {es,it,fr}_test; do
    mkdir -p "dump/raw/$set" && echo "$set" >"dump/raw/$set/.done"
  done
  mkdir -p exp/{zero_shot,routed_heard,lora_es,lora_it} && touch exp/{zero_shot,routed_heard,lora_es,lora_it}/.done
  sets=(--test_sets "es_test it_test fr_test" --merge_configs "")
  route --routes "routed_heard routed" "${sets[@]}" --stage 9 --stop_stage 11 \
    --routed_args "--min-confidence 0.9 --fallback none"
  [ "$status" -eq 0 ]
  place=exp/routed/inference_as_trained
  [ "$(readlink $place/it_test)" = ../../lora_it/inference_as_trained/it_test ]
  [ "$(readlink $place/fr_test)" = ../../zero_shot/inference_padded/fr_test ]
  [[ $(grep "^espnet-merge decode --router" calls) == *"--router exp/routed_heard/router --min-confidence 0.9 --fallback none --adapters es=exp/lora_es/model it=exp/lora_it/model --model exp/base --overwrite "* ]]
  run grep -E "^espnet-merge (decode|score).*exp/routed/" calls
  [ "$status" -eq 1 ]
  grep -q -- "^espnet-merge report .*--routed routed routed_heard " calls
}

@test "sequential training that cannot be is refused before anything is done" {
  train --sequential true --experts es --kinds full
  [ "$status" -eq 2 ]
  [[ $output == *"error: --sequential true needs two experts, one after the other; got 'es'." ]]
  train --sequential true --experts "es it" --kinds lora --merge_kind lora
  [ "$status" -eq 2 ]
  [[ $output == *"error: --sequential true needs full in --kinds, which are 'lora'." ]]
  [ ! -e calls ]
}

@test "routes that cannot be are refused before anything is done" {
  refused() { # MESSAGE OPTION...
    train --experts "es it" "${@:2}"
    [ "$status" -eq 2 ]
    [[ $output == *"error: --routes $1" ]]
    [ ! -e calls ]
  }
  refused "must be of routed, routed_heard and mixture; got 'moe'." --routes "routed moe"
  refused "needs lora in --kinds, which are 'full'." --routes routed
  refused "routed_heard needs two experts to choose from; got 'es'." --routes routed_heard \
    --kinds lora --merge_kind lora --experts es
}

@test "an expert that is taken is fetched with the base, and the others are trained without it" {
  taken() { train --experts "es it" --expert_models "es=someone/model@v1" "$@"; }
  taken --stage 4 --stop_stage 4 --expert_mode tail
  [ "$status" -eq 0 ]
  grep -q -- "^espnet-merge fetch someone/model@v1 --output exp/own_es/model --overwrite --trained ../../../conf/decode/tail.yaml --tokenizer exp/base$" calls
  grep -q -- "^espnet-merge merge --dry-run --method soup --base exp/base --experts exp/own_es/model " calls
  taken --stop_stage 8
  [ "$status" -eq 0 ]
  [[ $output == *"own_es: someone/model@v1, taken as it is, not trained"* ]]
  [ "$(grep -c -- --output_dir calls)" -eq 1 ]
  [[ $(call full_it) == *raw/it_train/text* ]]
  grep -q -- "^espnet-merge merge --config .*soup.yaml .*--experts exp/own_es/model exp/full_it/model " calls
  taken --stage 11 --stop_stage 11
  grep -q -- "^espnet-merge report .*--experts it=full_it es=own_es --group es=es_test it= " calls
  taken --stage 4 --stop_stage 4 --expert_mode tail
  [ "$(grep -c "^espnet-merge fetch someone" calls)" -eq 1 ]
}

@test "an expert that is taken must be there when others are trained" {
  train --experts "es it" --expert_models "es=mine"
  [ "$status" -eq 2 ]
  [[ $output == *"exp/own_es must be taken from mine; it is not: run stage 4." ]]
  [ ! -e calls ]
}

@test "data of what is taken are needed where something is trained or measured on them" {
  mkdir -p local data/es_test && touch data/es_test/text
  echo '#!/bin/sh' >local/data.sh && chmod +x local/data.sh
  prepare() {
    train --experts "es it" --expert_models "es=mine it=yours" --test_sets es_test \
      --stage 1 --stop_stage 1 "$@"
  }
  prepare --routes routed
  [ "$status" -eq 0 ]
  lacks() { # SET OPTION...
    prepare "${@:2}"
    [ "$status" -eq 2 ]
    [[ $output == *"error: data/$1 must be there, by local/data.sh or 'espnet-merge import'; it is not." ]]
  }
  lacks es_train --joint full
  lacks es_train --merge_configs "soup regmean"
  lacks es_train --routes routed_heard
  lacks es_valid --search tsv_m
}

@test "before the queue a run is checked, after stages 1 to 4, and goes no further" {
  train --stage 4 --stop_stage 11 --experts "es it" --kinds "full lora" --preflight \
    --max_test_utterances 40 --train_args "--max_epoch 2" --train_nj 2
  [ "$status" -eq 0 ]
  found=$(grep "^espnet-merge preflight" calls)
  [[ $found == *"--model exp/base --expdir exp --train dump/raw/org/es_train dump/raw/org/it_train --valid dump/raw/org/es_valid dump/raw/org/it_valid --test dump/raw/org/es_test dump/raw/org/es-en_test "* ]]
  [[ $found == *" --train-nj 2 --train-args=--max_epoch 2 "*"--training full="*"/full.yaml lora="*"/lora.yaml --systems full=joint,full_es,full_it lora=lora_es,lora_it merged=soup --max_test_utterances 40" ]]
  [ "$(tail -n 1 calls)" = "$found" ]
  [ ! -e exp/full_es ]
}

@test "what will break a run ends it before the queue" {
  cat >"$tree/.venv/bin/espnet-merge" <<'EOF_MERGE'
#!/usr/bin/env bash
if [[ $1 == preflight ]]; then exit 2; fi
EOF_MERGE
  train --stage 4 --stop_stage 11 --experts "es it" --preflight --seeds "3 4"
  [ "$status" -eq 2 ]
  [ -d exp/seed_3/zero_shot ] # one seed shows what all do
  [ ! -e exp/seed_4 ]
  [ ! -e calls ]
}

@test "while systems are decoded the report is renewed, of those that are" {
  mkdir -p dump/raw/es_test exp/{zero_shot,full_es,full_it,soup}
  for place in dump/raw/es_test exp/{zero_shot,full_es,full_it,soup}; do
    echo made >"$place/.done"
  done
  sed -i 's/^echo "espnet-merge/sleep 1.2; &/' "$tree/.venv/bin/espnet-merge"
  decode() {
    train --stage 9 --stop_stage 11 --experts "es it" --joint "" --test_sets es_test \
      --decode_nj 1 "$@"
  }
  decode --report_every 0
  [ "$(grep -c "^espnet-merge report" calls)" -eq 1 ]
  rm -r calls exp/*/inference_*
  decode --report_every 1
  [ "$status" -eq 0 ]
  mapfile -t reports < <(grep "^espnet-merge report" calls)
  [ "${#reports[@]}" -ge 2 ]
  [[ ${reports[0]} == *" --running" ]]
  [[ ${reports[-1]} != *" --running" ]]
  run grep -m 1 "^espnet-merge score" calls
  [[ $output == *"--hyp exp/zero_shot/inference_padded/es_test --normalizer"* ]]
}

@test "a report that fails meanwhile does not end the run" {
  mkdir -p dump/raw/es_test exp/{zero_shot,full_es,full_it,soup}
  for place in dump/raw/es_test exp/{zero_shot,full_es,full_it,soup}; do
    echo made >"$place/.done"
  done
  cat >"$tree/.venv/bin/espnet-merge" <<'EOF_MERGE'
#!/usr/bin/env bash
sleep 1.2
if [[ $* == *--running* ]]; then echo "error: broken" >&2; exit 1; fi
EOF_MERGE
  train --stage 9 --stop_stage 9 --experts "es it" --joint "" --test_sets es_test \
    --decode_nj 1 --report_every 1
  [ "$status" -eq 0 ]
  [[ $output == *"the report was not renewed: see exp/renewed.log"* ]]
  [[ $(<exp/renewed.log) == *broken* ]]
}
