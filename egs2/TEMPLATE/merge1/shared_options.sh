# shellcheck shell=bash disable=SC2034
# Source me. Options that several scripts beside this one have, with their defaults; a
# line "# of shared_options.sh: NAME..." among a script's options says which it has.

# options
full_config=conf/train/full.yaml # training configuration of full fine-tuning
lora_config=conf/train/lora.yaml # training configuration of an adapter
mixture_config=conf/train/mixture.yaml # training configuration of a mixture of adapters
nearest=2         # number of trained adapters in a mixture, from the most similar languages
train_args=       # further options of whisper_train, as "--max_epoch 2"
train_nj=1        # models trained at the same time
similarity_args="--pad-to 0 --tail 4" # how the base hears new languages
decode_config=as_trained # name in conf/decode, or file
base_decode_config=padded # the same for the base, as it was trained; "" for decode_config
hear=true         # note which language each system hears, though it is given
decode_args=      # further options of "espnet-merge decode"
decode_nj=2       # models decoded at the same time
inference_nj=1    # jobs that share the decoding of a model
normalizer=basic  # how text is normalised for the main scores; raw scores are given as well
dumpdir=dump/raw  # where formatted data goes
expdir=exp        # where models, hypotheses and results go
results=          # where small files of all seeds are kept, seed_0.json …, or "" for EXPDIR/results
# end of options
