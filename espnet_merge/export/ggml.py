"""whisper.cpp's ``ggml-model.bin``.

Source: the format that models/convert-pt-to-ggml.py of whisper.cpp describes, and that
``whisper_model_load`` in its src/whisper.cpp reads: a magic number, sizes, the mel
filters, the texts of the tokens, then each tensor with its name and shape. Numbers are
little-endian.
"""

import struct
from pathlib import Path
from typing import BinaryIO

from espnet_merge.checkpoint.dtypes import check_overflow, to_stored
from espnet_merge.checkpoint.hf import open_hf
from espnet_merge.checkpoint.names import OPENAI
from espnet_merge.checkpoint.openai import dims_of
from espnet_merge.checkpoint.opened import Checkpoint
from espnet_merge.decode.utterances import Utterance, read_audio
from espnet_merge.export.format import (
    Format,
    Runtime,
    Source,
    Transcriber,
    check_published,
)
from espnet_merge.speech import TRANSLATE
from espnet_merge.whisper.prompt import load_tokenizer

FILE = "ggml-model.bin"
MAGIC = 0x67676D6C
# Type codes of tensors; the file has that of its matrices. whisper.cpp 1.8 aborts at
# the convolutions of a file that is float32 throughout.
CODES = {"F32": 0, "F16": 1}
# The order of the sizes in the file.
SIZES = (
    *("n_vocab", "n_audio_ctx", "n_audio_state", "n_audio_head", "n_audio_layer"),
    *("n_text_ctx", "n_text_state", "n_text_head", "n_text_layer", "n_mels"),
)
# Biases of convolutions have a second axis, so that they are added along the time.
CONV_BIASES = ("encoder.conv1.bias", "encoder.conv2.bias")
# Matrices that are added, not multiplied by: they stay float32.
ADDED = ("encoder.positional_embedding", "decoder.positional_embedding", *CONV_BIASES)


def write(source: Source, directory: Path, dtype: str | None) -> None:
    """Write the one file, in float16 as the published ones."""
    model = open_hf(source.model)
    check_published(model, "ggml")
    shapes = {name: entry.shape for name, entry in model.entries.items()}
    sizes = dims_of(shapes, model.config, model.path)
    with (directory / FILE).open("wb") as file:
        file.write(struct.pack("<I", MAGIC))
        numbers = [*(sizes[name] for name in SIZES), CODES["F16"]]
        file.write(struct.pack(f"<{len(numbers)}i", *numbers))
        _write_filters(file, source.model)
        _write_tokens(file, source.model)
        for name in shapes:
            _write_tensor(file, model, name)


def _write_filters(file: BinaryIO, model: Path) -> None:
    """Write the mel filters, a row for each channel."""
    from transformers import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor.from_pretrained(model, local_files_only=True)
    filters = extractor.mel_filters.T
    file.write(struct.pack("<2i", *filters.shape))
    file.write(to_stored(filters.astype("float32"), "F32").tobytes())


def _write_tokens(file: BinaryIO, model: Path) -> None:
    """Write the bytes of each token of text; whisper.cpp knows the special ones."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    tokenizer = load_tokenizer(model)
    codes = {symbol: byte for byte, symbol in bytes_to_unicode().items()}
    symbols = tokenizer.convert_ids_to_tokens(list(range(tokenizer.eos_token_id)))
    file.write(struct.pack("<i", len(symbols)))
    for symbol in symbols:
        text = bytes(codes[letter] for letter in symbol or "")
        file.write(struct.pack("<i", len(text)) + text)


def _write_tensor(file: BinaryIO, model: Checkpoint, name: str) -> None:
    """Write rank, length of the name, type, shape from the last axis, name, data."""
    shape, label = model.entries[name].shape, OPENAI.write(name)
    if label in CONV_BIASES:
        shape = (*shape, 1)
    dtype = "F32" if len(shape) < 2 or label in ADDED else "F16"
    values = model.read(name)
    check_overflow(name, values, dtype)
    encoded = label.encode()
    head = (len(shape), len(encoded), CODES[dtype], *reversed(shape))
    file.write(struct.pack(f"<{len(head)}i", *head) + encoded)
    file.write(to_stored(values, dtype).tobytes())


def load(directory: Path, source: Source) -> Transcriber:
    """Return whisper.cpp's decoding of the model, without fallback."""
    from pywhispercpp.model import Model

    model = Model(
        str(directory / FILE),
        redirect_whispercpp_logs_to=None,
        context_params={"use_gpu": False},
        n_threads=1,
        print_progress=False,
        print_realtime=False,
        no_timestamps=True,
        single_segment=True,
        temperature_inc=0.0,
        # As openai-whisper does; by itself whisper.cpp writes symbols of music, too.
        suppress_nst=True,
        greedy={"best_of": 1},
    )

    def transcribe(utterance: Utterance) -> str:
        segments = model.transcribe(
            read_audio(utterance),
            language=utterance.language,
            translate=utterance.task == TRANSLATE,
        )
        return "".join(segment.text for segment in segments)

    return transcribe


FORMAT = Format(
    dtypes=("float16",),
    runtime=Runtime("pywhispercpp", "pywhispercpp", "runtimes"),
    write=write,
    load=load,
)
