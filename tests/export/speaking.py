"""A micro Whisper with OpenAI's vocabulary, that every runtime can speak with."""

import base64
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile
import torch
from transformers import (
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)
from transformers.convert_slow_tokenizer import bytes_to_unicode

from espnet_merge.speech import LANGUAGES
from tests.micro import micro_config

RECORDINGS = Path(__file__).parents[1] / "recordings"
END = 50257
MARKS = (
    *("translate", "transcribe", "startoflm", "startofprev"),
    *("nospeech", "notimestamps"),
)
# Tokens that it says: whole words, which begin with a blank.
SAID = range(264, 1200, 78)


def write_speaking(
    directory: Path,
    seed: int = 0,
    *,
    languages: int = 99,
    mels: int = 80,
    deep: int = 1,
) -> Path:
    """Write a random Whisper whose few words have well-separated probabilities.

    It says nothing but some words and the end, in every runtime, whatever a runtime
    suppresses by itself: of all other tokens the last norm makes hardly probable ones.

    Args:
        directory: where to write.
        seed: of the weights.
        languages: number of them, 99 or 100.
        mels: channels of the spectrogram.
        deep: layers of the encoder; the decoder has one.
    """
    tokenizer = write_vocabulary(languages)
    torch.manual_seed(seed)
    config = micro_config(len(tokenizer))
    config.num_mel_bins = mels
    config.bos_token_id = config.eos_token_id = config.pad_token_id = END
    config.decoder_start_token_id = END + 1
    config.encoder_layers, config.decoder_layers = deep, 1
    config.encoder_ffn_dim = config.decoder_ffn_dim = 4 * config.d_model
    model = WhisperForConditionalGeneration(config).eval()
    for name, parameter in model.named_parameters():
        if parameter.ndim == 3:
            torch.nn.init.normal_(parameter, std=0.1)
        elif parameter.ndim == 2 and "embed" not in name:
            torch.nn.init.normal_(parameter, std=0.15)
    decoder = model.model.decoder
    decoder.embed_positions.weight.data.normal_(std=0.6)
    embedding = decoder.embed_tokens.weight.data.normal_(std=0.2)
    decoder.layer_norm.weight.data[0], decoder.layer_norm.bias.data[0] = 0, 10
    embedding[:, 0] = -3
    embedding[[*SAID, END], 0] = 0
    embedding[END] *= 2.5
    generation = model.generation_config
    generation.forced_decoder_ids = None
    generation.begin_suppress_tokens = [220, END]
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    WhisperFeatureExtractor(feature_size=mels).save_pretrained(directory)
    return directory


def write_vocabulary(languages: int = 99) -> WhisperTokenizer:
    """Return a tokenizer of openai-whisper's tokens, which knows no merges."""
    (package,) = find_spec("whisper").submodule_search_locations
    lines = (Path(package) / "assets" / "multilingual.tiktoken").read_text().split("\n")
    pairs = (line.split(" ") for line in lines if line)
    symbol = bytes_to_unicode()
    vocabulary = {
        "".join(symbol[byte] for byte in base64.b64decode(token)): int(rank)
        for token, rank in pairs
    }
    names = ["endoftext", "startoftranscript", *list(LANGUAGES)[:languages], *MARKS]
    tokenizer = WhisperTokenizer(
        vocab=vocabulary,
        merges=[],
        pad_token="<|endoftext|>",
        extra_special_tokens=[f"<|{name}|>" for name in names],
    )
    tokenizer.add_tokens([f"<|{0.02 * step:.2f}|>" for step in range(1501)])
    assert len(tokenizer) == 51766 + languages
    return tokenizer


def write_recordings(directory: Path, count: int) -> Path:
    """Write a data directory of real speech, in two languages, each file of 30 s.

    faster-whisper pads the spectrogram with zeros, where Whisper pads the audio with
    silence: what fills the window is the same for both.
    """
    directory.mkdir(parents=True)
    files = sorted(RECORDINGS.glob("*.flac"))
    names = [files[number * len(files) // count] for number in range(count)]
    languages = ""
    wavs = ""
    for path in names:
        audio, rate = soundfile.read(path)
        window = np.zeros(30 * rate)
        window[: len(audio)] = audio
        soundfile.write(directory / f"{path.stem}.wav", window, rate)
        wavs += f"{path.stem} {directory / path.stem}.wav\n"
        languages += f"{path.stem} {path.name[:2]}\n"
    (directory / "wav.scp").write_text(wavs, "utf-8")
    (directory / "utt2lang").write_text(languages, "utf-8")
    return directory
