"""A Whisper of 64 dimensions and 2 + 2 layers, with a byte-level vocabulary."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import (
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)
from transformers.models.whisper.tokenization_whisper import LANGUAGES


def write_tokenizer(
    directory: Path, merges: Sequence[str] = (), *, old: bool = False
) -> WhisperTokenizer:
    """Write a tokenizer of 256 bytes, of merges, and of Whisper's special tokens.

    An old one, as of 2022, lists no timestamps, and has another name for silence.
    """
    directory.mkdir(parents=True, exist_ok=True)
    symbols = [*_byte_symbols(), *(merge.replace(" ", "") for merge in merges)]
    vocabulary = {symbol: index for index, symbol in enumerate(symbols)}
    special = ["<|endoftext|>", "<|startoftranscript|>"]
    special += [f"<|{code}|>" for code in LANGUAGES]
    special += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>"]
    special += ["<|nocaptions|>" if old else "<|nospeech|>", "<|notimestamps|>"]
    special += [] if old else [f"<|{step * 0.02:.2f}|>" for step in range(1501)]
    vocab_file, merges_file = directory / "vocab.json", directory / "merges.txt"
    vocabulary["<|endoftext|>"] = len(vocabulary)
    vocab_file.write_text(json.dumps(vocabulary, ensure_ascii=False), "utf-8")
    merges_file.write_text("\n".join(["#version: 0.2", *merges, ""]), "utf-8")
    tokenizer = WhisperTokenizer(vocab=str(vocab_file), merges=str(merges_file))
    tokenizer.add_special_tokens({"additional_special_tokens": special[1:]})
    tokenizer.save_pretrained(directory)
    return tokenizer


def micro_config(vocab_size: int, window: int = 30) -> WhisperConfig:
    return WhisperConfig(
        vocab_size=vocab_size,
        d_model=64,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=128,
        decoder_ffn_dim=128,
        max_source_positions=50 * window,
        bos_token_id=256,
        eos_token_id=256,
        pad_token_id=256,
        decoder_start_token_id=257,
        suppress_tokens=None,
        begin_suppress_tokens=None,
        dropout=0.0,
    )


def write_micro_whisper(directory: Path, seed: int = 0, window: int = 30) -> Path:
    """Write a random Whisper as a Hugging Face directory and return its path.

    It hears ``window`` seconds, which is what transformers pads to.
    """
    tokenizer = write_tokenizer(directory)
    torch.manual_seed(seed)
    model = WhisperForConditionalGeneration(micro_config(len(tokenizer), window))
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2 and "embed" not in name:
            torch.nn.init.normal_(parameter, std=0.15)
    model.generation_config.forced_decoder_ids = None
    model.save_pretrained(directory)
    extractor = WhisperFeatureExtractor(feature_size=80, chunk_length=window)
    extractor.save_pretrained(directory)
    return directory


def _byte_symbols() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes, in the order of the bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (byte for byte in range(256) if byte not in printable)
    symbol = {byte: chr(byte) for byte in printable}
    symbol |= {byte: chr(256 + index) for index, byte in enumerate(others)}
    return [symbol[byte] for byte in range(256)]
