#!/usr/bin/env bash
# Experts for several domains of one language, merged, routed, and trained together.
set -euo pipefail
cd "$(dirname "$0")"

# The systems of the benchmark of BoostedTSV-M (arXiv 2603.05354), LoRS-Merging with its
# ablations, and others: SVC on top of three merges, RegMean without data, DARE, RAM, and
# consensus by TALL masks; sizes for two cores.
merges="soup model_stock karcher multi_slerp task_arithmetic ties pcb sce iso_c iso_cts
tsv_m conf/merge/iso_cts_ns.yaml conf/merge/tsv_m_ns.yaml boosted_tsv_m lors
conf/merge/lors_mp.yaml conf/merge/lors_svp.yaml conf/merge/lors_ta.yaml tsv_m_svc
conf/merge/task_arithmetic_svc.yaml conf/merge/soup_svc.yaml covariance
conf/merge/dare_ties.yaml ram consensus"

# Decoded as Whisper's transcribe does: a text that loops is decoded again by sampling.
# Without it, one loop in a test set decides which system is best (DOMAINS.md). In bfloat16,
# which many CPUs and GPUs compute faster than float32.
exec ../../TEMPLATE/merge1/merge.sh \
  --sequential true \
  --merge_configs "$merges" \
  --routes "routed routed_heard mixture" \
  --max_train_utterances 400 --max_valid_utterances 60 --max_test_utterances 300 \
  --train_args "--max_epoch 1 --autocast bfloat16" --train_nj 2 \
  --decode_args "--dtype bfloat16 --temperatures 0.2,0.4,0.6,0.8,1" \
  --config conf/english.yaml \
  "$@"
