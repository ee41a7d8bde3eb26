"""Decoding by transformers' ``generate``, of a Whisper with or without adapters."""

from pathlib import Path
from typing import Any

import torch

from espnet_merge.decode.utterances import Utterance, read_audio
from espnet_merge.export.format import MAX_NEW_TOKENS, Transcriber
from espnet_merge.speech import SAMPLE_RATE


def generator(model: Any, directory: Path) -> Transcriber:  # noqa: ANN401
    """Return what decodes as anybody does who loads a model by transformers.

    Args:
        model: a Whisper of transformers, or one of peft around it.
        directory: its tokenizer and what prepares its audio.
    """
    from transformers import AutoTokenizer, WhisperFeatureExtractor, logging

    logging.set_verbosity_error()  # of options that its own Whisper gives twice
    tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    extractor = WhisperFeatureExtractor.from_pretrained(
        directory, local_files_only=True
    )

    @torch.inference_mode()
    def transcribe(utterance: Utterance) -> str:
        features = extractor(
            read_audio(utterance), sampling_rate=SAMPLE_RATE, return_tensors="pt"
        )
        asked: dict[str, Any] = {}
        if model.generation_config.is_multilingual:
            asked = {"language": utterance.language, "task": utterance.task}
        ids = model.generate(
            input_features=features.input_features,
            attention_mask=torch.ones(1, features.input_features.shape[-1]).long(),
            max_new_tokens=MAX_NEW_TOKENS,
            num_beams=1,
            do_sample=False,
            **asked,
        )
        text: str = tokenizer.decode(ids[0], skip_special_tokens=True)
        return text

    return transcribe
