import math

import numpy as np
import pytest
import soundfile
import torch

from espnet_merge.decode import recognize, torch_backend
from espnet_merge.decode.identify import no_speech
from espnet_merge.decode.recognize import Recognizer, fails
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.torch_backend import TorchBackend
from espnet_merge.decode.utterances import Utterance
from espnet_merge.whisper.model import Encoded
from espnet_merge.whisper.prompt import load_tokenizer
from tests.decode.test_search import talkative


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return talkative(tmp_path_factory.mktemp("model"), 1)


@pytest.fixture(scope="module")
def tokenizer(micro_whisper):
    return load_tokenizer(micro_whisper)


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    utterances = []
    for seed, seconds in enumerate([1.0, 0.7, 0.5]):
        path = tmp_path_factory.mktemp("audio") / "a.wav"
        samples = int(16_000 * seconds)
        audio = 0.1 * np.random.default_rng(seed).standard_normal(samples)
        soundfile.write(path, audio, 16_000)
        utterances.append(Utterance(str(seed), path, samples, "es", "transcribe"))
    return utterances


def hypotheses(model, tokenizer, batch, **settings):
    mode = Settings(pad_to=0.0, max_new_tokens=12, **settings)
    backend = TorchBackend(model, tokenizer, mode)
    return [segment.hypothesis for segment in Recognizer(backend)(batch)]


@pytest.mark.parametrize("seconds", [0.1, 1.8])
def test_how_much_is_encoded_at_once_changes_nothing(
    model, tokenizer, batch, monkeypatch, seconds
):
    batch = [batch[0], *batch]  # so that some are encoded with no padding
    backend = TorchBackend(model, tokenizer, Settings(pad_to=0.0, max_new_tokens=12))
    whole = backend.encode(batch, [0, 0, 1, 0])
    first = hypotheses(model, tokenizer, batch)
    monkeypatch.setattr(torch_backend, "CPU_SECONDS", seconds)
    parts = backend.encode(batch, [0, 0, 1, 0])
    torch.testing.assert_close(parts.mask, whole.mask)
    assert parts.adapters.tolist() == whole.adapters.tolist() == [0, 0, 1, 0]
    valid = whole.mask[:, 0, 0] == 0
    torch.testing.assert_close(
        parts.states[valid], whole.states[valid], atol=1e-5, rtol=1e-5
    )
    again = hypotheses(model, tokenizer, batch)
    assert [one.tokens for one in again] == [one.tokens for one in first]
    same = backend.encode(batch[:2])
    assert same.mask is None
    assert same.adapters is None


def test_what_does_not_fail_is_not_drawn_anew(model, tokenizer, batch):
    first = hypotheses(model, tokenizer, batch)
    lenient = {"min_log_probability": -100.0, "max_compression": 1000.0}
    again = hypotheses(
        model, tokenizer, batch, temperatures=[0.5], no_speech=0.0, **lenient
    )
    assert again == first


def test_what_fails_is_drawn_at_every_temperature(model, tokenizer, batch):
    last = hypotheses(
        model, tokenizer, batch, temperatures=[0.4, 0.8], min_log_probability=0.0
    )
    assert [hypothesis.temperature for hypothesis in last] == [0.8] * 3
    alone = hypotheses(
        model, tokenizer, batch[1:2], temperatures=[0.8], min_log_probability=0.0
    )
    assert alone[0].tokens == last[1].tokens


def test_how_many_are_drawn_at_once_changes_nothing(
    model, tokenizer, batch, monkeypatch
):
    """In a batch of one they are made one after the other; in a large one, at once."""
    odd = lambda text, mean, settings: round(-10 * mean) % 5 > 0  # noqa: E731
    monkeypatch.setattr(recognize, "fails", odd)
    temperatures = [0.2, 0.4, 0.6, 0.8, 1.0]
    found = [
        hypotheses(model, tokenizer, batch, batch_size=size, temperatures=temperatures)
        for size in (1, 99)
    ]
    one, many = ([(x.tokens, x.temperature) for x in texts] for texts in found)
    assert one == many
    assert len({temperature for _, temperature in one}) > 1


def test_only_what_fails_is_drawn(model, tokenizer, batch):
    first = hypotheses(model, tokenizer, batch)
    limit = sorted(hypothesis.mean for hypothesis in first)[1]
    mixed = hypotheses(
        model,
        tokenizer,
        batch,
        temperatures=[0.01],
        min_log_probability=limit,
        max_compression=1000.0,
    )
    for before, after in zip(first, mixed, strict=True):
        assert after.temperature == (0.01 if before.mean < limit else 0.0)


def test_a_text_fails_that_repeats_itself_or_is_improbable():
    text = "El líder ha dejado la conferencia."
    assert fails("no, " * 30, -0.1, Settings())
    assert not fails("no, " * 30, -0.1, Settings(max_compression=100.0))
    assert not fails(text, -0.9, Settings())
    assert fails(text, -1.1, Settings())


def test_an_improbable_text_without_speech_is_empty(model, tokenizer, batch):
    silent = hypotheses(model, tokenizer, batch, no_speech=0.0, min_log_probability=0.0)
    assert [hypothesis.tokens for hypothesis in silent] == [[]] * 3
    assert all(-20 < hypothesis.score < 0 for hypothesis in silent)
    surely = hypotheses(model, tokenizer, batch, no_speech=1.0, min_log_probability=0.0)
    assert surely == hypotheses(model, tokenizer, batch)


def test_no_speech_is_what_transformers_says(model, tokenizer):
    states = torch.randn(3, 1500, 64, generator=torch.Generator().manual_seed(0))
    start, silence = tokenizer.convert_tokens_to_ids(
        ["<|startoftranscript|>", "<|nospeech|>"]
    )
    with torch.no_grad():
        output = model(
            encoder_outputs=(states,), decoder_input_ids=torch.full((3, 1), start)
        )
    expected = output.logits[:, 0].softmax(-1)[:, silence]
    found = no_speech(model, Encoded(states, None), tokenizer)
    assert found == pytest.approx(expected.tolist(), rel=1e-4)
    assert all(0 < value < 1 and not math.isnan(value) for value in found)
