"""The command on a micro Whisper: what it writes, and that generate reads it."""

import json
import shutil

import numpy as np
import pytest
import soundfile
import torch
from transformers import WhisperForConditionalGeneration

from espnet_merge.__main__ import main
from espnet_merge.alignment.attention import attention_of, open_model
from espnet_merge.statistics.utterances import read_targets
from espnet_merge.whisper.prompt import load_tokenizer
from tests.micro import write_micro_whisper
from tests.speech import write_data


@pytest.fixture(scope="module")
def short_whisper(tmp_path_factory):
    """A Whisper whose window is 4 s."""
    return write_micro_whisper(tmp_path_factory.mktemp("short"), window=4)


@pytest.fixture
def model(short_whisper, tmp_path):
    return shutil.copytree(short_whisper, tmp_path / "model")


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data", languages=("es",), count=3)


def align_heads(model, data, *options):
    main(["align-heads", "--model", str(model), "--data", str(data), *options])


def write_ctm(data, path):
    lines = []
    for row in (data / "text").read_text().splitlines():
        name, *words = row.split()
        lines += [f"{name} 1 {0.1 * i} 0.1 {word}" for i, word in enumerate(words)]
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("reference", [True, False])
def test_heads_are_written_and_nothing_else(model, data, tmp_path, capsys, reference):
    file = model / "generation_config.json"
    before = json.loads(file.read_text())
    options = ["--ctm", str(write_ctm(data, tmp_path / "ctm"))] if reference else []
    align_heads(model, data, "--heads", "2", "--dry-run", *options)
    assert json.loads(file.read_text()) == before
    align_heads(model, data, "--heads", "2", *options)
    del before["_from_model_config"]  # with it transformers reads nothing else
    heads = json.loads(file.read_text()).pop("alignment_heads")
    assert json.loads(file.read_text()) == {**before, "alignment_heads": heads}
    assert 1 <= len(heads) <= 2
    assert all(0 <= layer < 2 and 0 <= head < 2 for layer, head in heads)
    said = capsys.readouterr().out
    assert f"alignment_heads: {heads}" in said
    assert ("word boundaries after: median" in said) is reference
    loaded = WhisperForConditionalGeneration.from_pretrained(model)
    assert loaded.generation_config.alignment_heads == heads
    if reference:
        align_heads(model, data, *options)
        assert "word boundaries before: median" in capsys.readouterr().out


def test_attention_is_what_generate_looks_at(model, data):
    """Greedy decoding, read to the model as its text, gives the same weights."""
    tokenizer, whisper = load_tokenizer(model), open_model(model)
    target = read_targets(data, tokenizer, 100)[0]
    audio, _ = soundfile.read(target.utterance.audio, dtype="float32")
    found = attention_of(whisper, target, audio)
    assert found.weights.shape[:2] == (4, len(found.ids) + 1)
    np.testing.assert_allclose(found.weights.sum(-1), 1, rtol=1e-5)
    from espnet_merge.whisper.features import log_mel

    mel = torch.from_numpy(log_mel(audio, n_mels=80, pad_to=4).T)[None]
    ids = torch.tensor([target.ids[:-1]])
    with torch.no_grad():
        theirs = whisper(mel, decoder_input_ids=ids, output_attentions=True)
    expected = torch.cat(theirs.cross_attentions, 1)[0, :, target.prompt - 1 :]
    expected = expected[..., : found.weights.shape[-1]].numpy()
    expected /= expected.sum(-1, keepdims=True)
    np.testing.assert_allclose(found.weights, expected, rtol=1e-4, atol=1e-7)


def test_what_does_not_fit_is_told(model, data, tmp_path, capsys):
    ctm = write_ctm(data, tmp_path / "ctm")
    first, *rest = ctm.read_text().splitlines()
    ctm.write_text("\n".join(rest))
    align_heads(model, data, "--ctm", str(ctm))
    assert f"left out: {first.split()[0]}: " in capsys.readouterr().out
    before = (model / "generation_config.json").read_bytes()
    ctm.write_text(first)
    with pytest.raises(SystemExit) as stop:
        align_heads(model, data, "--ctm", str(ctm))
    assert stop.value.code == 2
    assert "the reference must have the words of some text" in capsys.readouterr().err
    assert (model / "generation_config.json").read_bytes() == before
