"""generation_config.json, where transformers takes it for invalid."""

from pathlib import Path

from transformers import GenerationConfig

from espnet_merge.checkpoint.hf import read_json
from espnet_merge.errors import warn
from espnet_merge.files import GENERATION_JSON
from espnet_merge.whisper.fetched import LIKE

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
