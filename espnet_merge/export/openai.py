"""OpenAI's ``model.pt``, for openai-whisper and all that loads by it."""

from pathlib import Path

from espnet_merge.checkpoint.hf import open_hf
from espnet_merge.checkpoint.output import Output, copy_weights
from espnet_merge.checkpoint.torch_write import FILES
from espnet_merge.decode.utterances import Utterance, read_audio
from espnet_merge.export.format import (
    MAX_NEW_TOKENS,
    Format,
    Runtime,
    Source,
    Transcriber,
    check_published,
)


def write(source: Source, directory: Path, dtype: str | None) -> None:
    """Write the weights under openai-whisper's names, and its sizes.

    Tokenizer and suppressed tokens are openai-whisper's own.
    """
    model = open_hf(source.model)
    check_published(model, "openai")
    copy_weights(model, Output("openai", [model]), directory, dtype)


def load(directory: Path, source: Source) -> Transcriber:
    """Return openai-whisper's ``decode`` of the exported model."""
    import whisper

    model = whisper.load_model(str(directory / FILES["openai"]), device="cpu")

    def transcribe(utterance: Utterance) -> str:
        audio = whisper.pad_or_trim(read_audio(utterance))
        mel = whisper.log_mel_spectrogram(audio, n_mels=model.dims.n_mels)
        options = whisper.DecodingOptions(
            task=utterance.task,
            language=utterance.language,
            without_timestamps=True,
            sample_len=MAX_NEW_TOKENS,
            fp16=False,
        )
        text: str = whisper.decode(model, mel, options).text
        return text

    return transcribe


FORMAT = Format(
    dtypes=(None, "float32", "float16", "bfloat16"),
    runtime=Runtime("openai-whisper", "whisper", "runtimes"),
    write=write,
    load=load,
)
