"""generation_config.json: where it is invalid, and as ``generate`` needs it."""

from pathlib import Path

from transformers import GenerationConfig, WhisperTokenizer

from espnet_merge.checkpoint.hf import read_json
from espnet_merge.errors import warn
from espnet_merge.files import GENERATION_JSON
from espnet_merge.speech import LANGUAGES, TRANSCRIBE, TRANSLATE
from espnet_merge.whisper.byte_pairs import TASKS_AND_MARKS
from espnet_merge.whisper.fetched import ENGLISH_VOCABULARY, LIKE

# What is of the model. How to search is of a run, and read from nowhere here.
OF_MODEL = (
    *("suppress_tokens", "begin_suppress_tokens", "forced_decoder_ids"),
    *("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"),
    *("is_multilingual", "lang_to_id", "task_to_id", LIKE, "alignment_heads"),
    *("no_timestamps_token_id", "prev_sot_token_id", "max_initial_timestamp_index"),
)


def mended_generation(model: Path) -> GenerationConfig | None:
    """Return what is of the model in an invalid file; None where it is valid or none.

    Trainings of 2023 wrote, for example, a temperature without sampling. Today such a
    model cannot be loaded, or not be saved.
    """
    file = model / GENERATION_JSON
    if not file.is_file():
        return None
    said = read_json(file)
    try:
        GenerationConfig.from_dict(said).validate(strict=True)
    except ValueError:
        kept = {key: said[key] for key in OF_MODEL if key in said}
        warn(f"{file}: transformers calls it invalid; how to search is left out of it.")
        return GenerationConfig.from_dict(kept)
    return None


def clean(
    generation: GenerationConfig, tokenizer: WhisperTokenizer, vocabulary: int
) -> None:
    """Add what ``generate`` needs from the tokenizer; drop forced language and task."""
    ids = tokenizer.get_vocab()
    end = tokenizer.eos_token_id
    marks = ["startoftranscript", "startoflm", "startofprev", TRANSLATE, TRANSCRIBE]
    never = [ids[f"<|{name}|>"] for name in marks if f"<|{name}|>" in ids]
    # Old and new tokenizers have different names for this token.
    never += [ids[t] for t in ("<|nospeech|>", "<|nocaptions|>") if t in ids]
    lang_to_id = getattr(generation, "lang_to_id", None) or {}
    lent = {token: i for token, i in lang_to_id.items() if token[2:-2] not in LANGUAGES}
    never += [i for token, i in lent.items() if ids.get(token) == i]
    symbols = [i for i in generation.suppress_tokens or [] if i < end]
    languages = {f"<|{c}|>": ids[f"<|{c}|>"] for c in LANGUAGES if f"<|{c}|>" in ids}
    says = getattr(generation, "is_multilingual", True)
    multilingual = says and vocabulary != ENGLISH_VOCABULARY
    generation.bos_token_id = generation.eos_token_id = generation.pad_token_id = end
    generation.decoder_start_token_id = ids["<|startoftranscript|>"]
    generation.no_timestamps_token_id = ids["<|notimestamps|>"]
    generation.suppress_tokens = symbols + sorted(never)
    generation.max_length = 448
    generation.return_timestamps = False
    generation.is_multilingual = multilingual
    # Transformers drops what is of Whisper alone where a file says that it was made of
    # config.json.
    generation._from_model_config = False
    # Old directories force one language and task; here each utterance has its prompt.
    generation.forced_decoder_ids = None
    if multilingual:
        generation.lang_to_id = languages | lent
        # Without this, generate() would leave the task token out of the prompt.
        generation.task = TRANSCRIBE
        generation.task_to_id = {t: ids[f"<|{t}|>"] for t in TASKS_AND_MARKS[:2]}
