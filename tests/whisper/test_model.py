"""The oracle is transformers' own forward pass."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from espnet_merge.errors import InputError
from espnet_merge.whisper.features import log_mel
from espnet_merge.whisper.model import (
    decode,
    encode,
    load_whisper,
    logits,
    new_cache,
)


@pytest.fixture(scope="module")
def model(micro_whisper: Path):
    return load_whisper(micro_whisper)


def mel(seconds: float, pad_to: float, seed: int = 0) -> torch.Tensor:
    noise = np.random.default_rng(seed).standard_normal(int(seconds * 16_000))
    return torch.from_numpy(log_mel(0.1 * noise, n_mels=80, pad_to=pad_to))


@torch.no_grad()
def test_30_seconds_equal_transformers(model):
    features = torch.stack([mel(2.0, 30, seed) for seed in (1, 2)])
    tokens = torch.tensor([[257, 261, 359, 363, 80], [257, 270, 358, 363, 90]])
    expected = model(
        input_features=features.transpose(1, 2), decoder_input_ids=tokens
    ).logits
    encoded = encode(model.model.encoder, features)
    found = logits(model.model.decoder, decode(model.model.decoder, tokens, encoded))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_a_projection_of_its_own_is_refused_not_ignored(micro_whisper, tmp_path):
    path = shutil.copytree(micro_whisper, tmp_path / "untied")
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(
        json.dumps({**config, "tie_word_embeddings": False})
    )
    weights = load_file(path / "model.safetensors")
    table = weights["model.decoder.embed_tokens.weight"]
    for own, refused in ((table.clone(), False), (table + 1, True)):
        save_file(weights | {"proj_out.weight": own}, path / "model.safetensors")
        if refused:
            with pytest.raises(InputError, match=r"\(proj_out\) must be the token emb"):
                load_whisper(path)
        else:
            load_whisper(path)


@torch.no_grad()
def test_padding_inside_a_batch_changes_nothing(model):
    short, long = mel(1.0, 0, 1), mel(2.5, 0, 2)
    batch = torch.nn.utils.rnn.pad_sequence([short, long], batch_first=True)
    tokens = torch.tensor([[257, 261, 359, 363, 80]])
    lengths = torch.tensor([len(short), len(long)])
    together = encode(model.model.encoder, batch, lengths)
    states = decode(model.model.decoder, tokens.expand(2, -1), together)
    for row, alone in enumerate((short, long)):
        encoded = encode(model.model.encoder, alone[None])
        expected = decode(model.model.decoder, tokens, encoded)
        torch.testing.assert_close(states[row : row + 1], expected, rtol=0, atol=2e-5)


@torch.no_grad()
def test_cached_decoding_equals_one_pass(model):
    encoded = encode(model.model.encoder, mel(1.0, 0)[None])
    tokens = torch.tensor([[257, 261, 359, 363, 80, 81, 82]])
    expected = decode(model.model.decoder, tokens, encoded)
    cache = new_cache()
    steps = [
        decode(model.model.decoder, part, encoded, cache)
        for part in (tokens[:, :4], tokens[:, 4:5], tokens[:, 5:6], tokens[:, 6:])
    ]
    torch.testing.assert_close(torch.cat(steps, 1), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("seconds", "pad_to", "message"),
    [(1.0, 31, "pad_to must be"), (30.1, 0, "must last"), (0.01, 0, "must last")],
)
def test_features_refuse(seconds, pad_to, message):
    with pytest.raises(InputError, match=message):
        log_mel(np.zeros(int(seconds * 16_000)), n_mels=80, pad_to=pad_to)


def test_features_refuse_stereo():
    with pytest.raises(InputError, match="one channel"):
        log_mel(np.zeros((16_000, 2)), n_mels=80)


@pytest.mark.parametrize(
    ("sample", "message"), [(np.nan, "NaN or infinite"), (3000.0, "out of range")]
)
def test_samples_that_are_no_sound(sample, message):
    audio = np.zeros(16_000)
    log_mel(audio, n_mels=80)
    audio[9] = sample
    with pytest.raises(InputError, match=message):
        log_mel(audio, n_mels=80)


def test_too_many_tokens(model):
    encoded = encode(model.model.encoder, mel(1.0, 0)[None])
    with pytest.raises(InputError, match="at most 448 tokens"):
        decode(model.model.decoder, torch.zeros(1, 449, dtype=torch.long), encoded)


def test_odd_number_of_frames(model):
    with pytest.raises(InputError, match="even number of frames"):
        encode(model.model.encoder, torch.zeros(1, 101, 80))


def test_no_model(tmp_path):
    with pytest.raises(InputError, match=r"config\.json"):
        load_whisper(tmp_path)


def test_missing_weight_is_refused(micro_whisper, tmp_path):
    from safetensors.torch import load_file, save_file

    weights = load_file(micro_whisper / "model.safetensors")
    del weights["model.encoder.layers.0.fc1.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_bytes((micro_whisper / "config.json").read_bytes())
    with pytest.raises(InputError, match=r"missing keys: .*fc1\.weight"):
        load_whisper(tmp_path)


def test_the_decoder_layer_takes_what_decode_passes_by_place():
    # transformers 5.23 calls the last one past_key_values, 5.24 and later cache.
    from inspect import signature

    from transformers.models.whisper.modeling_whisper import WhisperDecoderLayer

    _, *names = signature(WhisperDecoderLayer.forward).parameters
    assert names[:4] == [
        "hidden_states",
        "attention_mask",
        "encoder_hidden_states",
        "encoder_attention_mask",
    ]
    assert names[4] in ("past_key_values", "cache")
