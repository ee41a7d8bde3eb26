#!/usr/bin/env bash
# Train Whisper experts, merge them, and compare all systems on all test sets.
#
# A recipe calls this script with its names; see egs2/prompts/merge1/run.sh. An expert
# NAME is trained on data/NAME_train and data/NAME_valid. Every stage can be run again:
# finished work is skipped, and interrupted work is resumed.
#
# Options, with their defaults:
set -euo pipefail

here=$(dirname "$0")
. "$here/shared_options.sh"

# options
stage=1           # first stage to run: 1 data 2 speed 3 format 4 base 5 filter 6 stats
stop_stage=11     # last stage to run: 7 train 8 merge 9 decode 10 score 11 report
skip_stages=      # numbers of stages to leave out, as "2 6"
preflight=false   # after stages 1 to 4, only check data, disk, base and a step of training
skip_data_prep=false # leave out stages 1 to 3 and 5
skip_train=false  # leave out stages 6 and 7
skip_eval=false   # leave out stages 9 to 11
skip_upload=true  # a recipe uploads nothing; "espnet-merge push" does
experts=          # names of the experts, as "es it ru"; auto: NAME of each data/NAME_train
expert_models=    # experts that are taken, not trained: "es=PATH it=OWNER/NAME[@REVISION]"
expert_mode=padded # in conf/decode: silence that these were trained with, if they do not say
kinds="full lora" # how each expert is trained: full fine-tuning, LoRA, or both
joint=auto        # kinds of a model trained on all data, or ""; auto: full, but "" with one expert or --expert_models
sequential=false  # train on the data of one expert after the other, in their order
two_stage=false   # train a model on all data to transcribe, then on all to translate
routes=           # systems that route between LoRA experts: of routed, routed_heard, mixture
objectives=       # objective soups on the data of all experts: names in conf/train, or files
test_sets=        # names of the test sets under data/, as "es_test en_test"; auto: data/*_test
ood=              # data directories of any place: further test sets, out of domain
eval_valid_set=false # decode the validation sets as well, whole, as test sets NAME_dev
groups=           # further test sets of an expert, as "es=es_phone_test,es_tv_test"
data_opts=        # options passed on to local/data.sh
speed_factors=    # copies of the training data at other speeds, as "0.9 1.1"
min_train_seconds=0.1 # drop shorter utterances from training and validation sets
max_train_seconds=30 # drop longer ones, for Whisper hears 30 s; test sets stay whole
max_train_utterances= # number to keep of each training set, chosen by their names
max_valid_utterances= # the same of each validation set
max_test_utterances= # the same of each test set; which are chosen depends on names alone
base=base         # model that experts start from: a size, OWNER/NAME[@REVISION], a directory, a .pt file
joint_args=       # options of joint and two-stage training, after --train_args, as "--accum_grad 6"
objectives_args=  # options of objective soups, after --train_args, as "--objectives_conf pace=19"
take_added=true   # use experts of add_language.sh, whatever options they were trained with
seeds=            # run once per seed, as "0 1 2", in EXPDIR/seed_0 …; table in EXPDIR/SEEDS.md, picture beside
merge_kind=full   # which kinds of experts to merge; by the second, NAME is NAME_lora
merge_configs="soup task_arithmetic ties tsv_m lors" # names in conf/merge, or files
merge_args=       # further options of "espnet-merge merge", as "--device cuda"
search=           # names in conf/search, or files: NAME_searched has coefficients of NAME_valid sets
search_args="--trials 30" # further options of "espnet-merge search"
statistics_args="--utterances 100" # options of "espnet-merge statistics", for fisher and regmean
router_args="--pad-to 0 --tail 4" # options of "espnet-merge router", for routed_heard
routed_args=      # further options of decode for it, as "--min-confidence 0.9 --fallback none"
decode_configs=as_trained # names in conf/decode, or files, for all systems
gpu_inference=false # decode on GPUs
report_every=300  # seconds between reports while systems are decoded; 0: only the last one
nj=2              # data sets prepared, and merges made, at the same time
ngpu=0            # GPUs for each training job
num_nodes=1       # machines for each training job
python=python3    # the interpreter
dry_run=false     # print what each stage would make, and why, and what it would submit; make nothing
status=false      # print how far the last run in EXPDIR is; on any machine that sees it
# of shared_options.sh: full_config lora_config mixture_config train_args train_nj
# of shared_options.sh: base_decode_config decode_args hear decode_nj inference_nj normalizer
# of shared_options.sh: dumpdir expdir results
# as in asr.sh: local_data_opts=data_opts speed_perturb_factors=speed_factors
# as in asr.sh: min_wav_duration=min_train_seconds max_wav_duration=max_train_seconds
# as in asr.sh: pretrained_model=base asr_config=full_config asr_args=train_args
# as in asr.sh: inference_config=decode_configs inference_args=decode_args
# as in asr.sh: skip_upload_hf=skip_upload skip_packing=skip_upload
# not here: train_set valid_set: an expert NAME learns from data/NAME_{train,valid}, say --experts
# not here: asr_exp asr_tag asr_stats_dir: each system has its directory in --expdir
# not here: inference_tag: hypotheses lie in inference_NAME, NAME of --decode_configs
# not here: inference_asr_model: say --train_args "--keep_nbest_models N", whose average is taken
# not here: batch_size: say --decode_args "--batch-size N", or --train_args "--batch_size N"
# not here: download_model: say --base OWNER/NAME, or --expert_models "NAME=OWNER/NAME"
# not here: hf_repo: espnet-merge push publishes a model
# not here: use_lm use_word_lm use_ngram lm_tag lm_exp lm_stats_dir lm_config lm_args: no language model is used
# not here: num_splits_lm word_vocab_size lm_fold_length lm_train_text lm_dev_text lm_test_text: no language model is used
# not here: ngram_exp ngram_num inference_lm inference_ngram: no language model is used
# not here: token_type nbpe bpemode oov blank sos_eos bpe_input_sentence_size bpe_nlsyms: the tokenizer is that of --base
# not here: bpe_char_cover bpe_train_text hugging_face_model_name_or_path nlsyms_txt g2p: the tokenizer is that of --base
# not here: cleaner: texts are learnt as they stand in data/NAME_train/text
# not here: feats_type audio_format fs feats_normalize: Whisper hears 16 kHz, to which stage 3 converts
# not here: multi_columns_input_wav_scp multi_columns_output_wav_scp: Whisper hears one channel
# not here: use_prompt use_lang_prompt use_nlp_prompt lang: the prompt of an utterance follows from utt2lang and utt2task
# not here: asr_task num_ref num_inf sot_asr: the model is Whisper, of one speaker
# not here: use_k2 k2_ctc_decoding k2_config use_nbest_rescoring num_paths nll_batch_size use_maskctc: Whisper has no CTC
# not here: use_streaming: Whisper hears windows of 30 s
# not here: ignore_init_mismatch: experts have the shape of --base
# not here: use_lightning: training is that of ESPnet, say --train_args
# not here: num_splits_asr asr_speech_fold_length asr_text_fold_length: say --train_args "--fold_length N"
# not here: post_process_local_data_opts auxiliary_data_tags: local/data.sh is run once, with --data_opts
# not here: score_opts local_score_opts hyp_cleaner: say --normalizer, and see espnet-merge score
# end of options

given=("$@")
. ../../../local/parse_options.sh
. ../../../local/stage.sh
. ../../../local/plan.sh
. ../../../local/jobs.sh
. ../../../local/decode.sh
. ./path.sh
if [[ $status == true ]]; then exec ../../../local/status.py "$expdir"; fi
. ./cmd.sh
. "$here/names.sh"
. "$here/groups.sh"
. "$here/taken.sh"
. "$here/routes.sh"
. "$here/data_stages.sh"
. "$here/model_stages.sh"
. "$here/result_stages.sh"
. "$here/seeds.sh"
. "$here/preflight.sh"

link_espnet() { # ESPnet's scripts, which training uses
  local espnet name
  espnet=$(../../../tools/espnet_root.sh)/egs2/TEMPLATE/asr1
  if [[ $dry_run == true ]]; then return; fi
  for name in utils scripts pyscripts; do
    # Several runs may start at once, so a correct link is not replaced.
    [[ $(readlink "$name") == "$espnet/$name" ]] || ln -sfn "$espnet/$name" "$name"
  done
}

link_espnet
read_names
results=${results:-$expdir/results}
if [[ $preflight == true && -n $seeds ]]; then # one seed shows what all do
  expdir+=/seed_${seeds%% *}
  seeds=
fi

# Two runs in one directory would write the same files. Jobs inherit the lock, so it is
# only free when the last job ends, even if merge.sh itself was killed.
lock_place() {
  mkdir -p "$expdir" "$dumpdir" ||
    fail "--expdir '$expdir' and --dumpdir '$dumpdir' must be places to write to."
  exec 9>"$expdir/.lock"
  if ! flock --nonblock 9; then
    log "jobs of another run are at work in $expdir: waiting for them"
    attended flock 9
  fi
}

if [[ $dry_run == false ]]; then lock_place; fi

if [[ -n $seeds ]]; then
  run_seeds
  exit
fi

any_of() { # WORD...: all of them as one pattern of a path
  if (($# == 1)); then echo "$1"; else echo "{$*}"; fi
}

stages() {
  run_stage 1 "data: packages -> data/*" prepare_data
  run_stage 2 "speed perturbation: data/*_train -> data/*_train_sp (optional)" perturb_speed
  run_stage 3 "format: data/* -> $dumpdir/org/*" format_audio
  run_stage 4 "models: $base${expert_models:+ $expert_models} -> $expdir/$(any_of base "${taken[@]}")" fetch_models
  if [[ $preflight == true && $listing == false ]]; then
    log "preflight: $dumpdir/org/*, $expdir/base -> what is in the way of a run"
    attended check_run
    exit
  fi
  run_stage 5 "filter: $dumpdir/org/*, $expdir/base -> $dumpdir/*" filter_utterances
  plan_stage 6 "statistics: $dumpdir/*_{train,valid} -> $expdir/stats/*" collect_stats
  plan_stage 7 "training: $dumpdir/*, $expdir/base -> $expdir/$(any_of "${trained[@]}" "${later[@]}")/model" train_systems
  plan_stage 8 "merging: $expdir/$(any_of "${merge_kinds[@]}")_*/model -> $expdir/$(any_of "${merged[@]}")/model" merge_experts
  plan_stage 9 "decoding: $expdir/*/model -> $expdir/*/inference_*/*/text" decode_systems
  run_planned
  run_stage 10 "scoring: $expdir/*/inference_*/*/text -> score.json" score_systems
  run_stage 11 "report: score.json -> $expdir/{RESULTS.md,report.html,images}" write_report
}

list_stages stages
stages
