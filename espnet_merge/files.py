"""The names of files that more than one room reads or writes."""

# In a data directory; the last two are ours, the others Kaldi's.
WAV_SCP = "wav.scp"
UTT2SPK = "utt2spk"
UTT2LANG = "utt2lang"
UTT2TASK = "utt2task"

# In a model of Hugging Face's, an adapter of PEFT's, a training of ESPnet's.
CONFIG_JSON = "config.json"
TOKENIZER_JSON = "tokenizer.json"
VOCAB_JSON = "vocab.json"
MERGES_TXT = "merges.txt"
GENERATION_JSON = "generation_config.json"
PREPROCESSOR_JSON = "preprocessor_config.json"
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
CONFIG_YAML = "config.yaml"

# Beside a model: where it comes from, and what it is for others.
EXPORT_YAML = "export.yaml"
FETCH_JSON = "fetch.json"
MERGE_YAML = "merge.yaml"
README_MD = "README.md"

# Beside the texts of a decoded set.
TEXT_JSON = "text.json"
SCORE_JSON = "score.json"
RESULT_TXT = "result.txt"  # in score_wer and score_cer

# Beside a training on several objectives: which of them conflict, epoch by epoch.
CONFLICT_PNG = "images/conflict.png"

# What is found out about experts before a merge.
INSPECT_HTML = "inspect.html"
SIMILARITY_JSON = "similarity.json"

# Of a router between experts: what it was trained on, and how often it is right.
ROUTER_JSON = "router.json"
