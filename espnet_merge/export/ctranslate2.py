"""CTranslate2's directories, for faster-whisper."""

from pathlib import Path

from espnet_merge.decode.utterances import Utterance, read_audio
from espnet_merge.export.format import (
    MAX_NEW_TOKENS,
    Format,
    Runtime,
    Source,
    Transcriber,
)
from espnet_merge.files import PREPROCESSOR_JSON, TOKENIZER_JSON


def write(source: Source, directory: Path, dtype: str | None) -> None:
    """Convert the model by CTranslate2's own converter.

    faster-whisper needs the tokenizer beside it: without it, it fetches that of tiny.
    """
    from ctranslate2.converters import TransformersConverter
    from transformers.utils import logging

    logging.disable_progress_bar()  # loading takes a second
    converter = TransformersConverter(
        str(source.model), copy_files=[TOKENIZER_JSON, PREPROCESSOR_JSON]
    )
    converter.convert(str(directory), quantization=dtype, force=True)


def load(directory: Path, source: Source) -> Transcriber:
    """Return faster-whisper's ``transcribe`` of the model, without fallback."""
    from faster_whisper import WhisperModel

    model = WhisperModel(str(directory), device="cpu", cpu_threads=1)

    def transcribe(utterance: Utterance) -> str:
        segments, _ = model.transcribe(
            read_audio(utterance),
            language=utterance.language,
            task=utterance.task,
            beam_size=1,
            temperature=0.0,
            log_prob_threshold=None,
            no_speech_threshold=None,
            compression_ratio_threshold=None,
            condition_on_previous_text=False,
            without_timestamps=True,
            max_new_tokens=MAX_NEW_TOKENS,
        )
        return "".join(segment.text for segment in segments)

    return transcribe


FORMAT = Format(
    dtypes=("float32", "float16", "int8", "int8_float16"),
    runtime=Runtime("faster-whisper", "faster_whisper", "runtimes"),
    write=write,
    load=load,
    writer=Runtime("ctranslate2", "ctranslate2", "ctranslate2"),
)
