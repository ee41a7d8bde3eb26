"""The reference is the torch backend."""

import math
import shutil
from typing import NamedTuple

import pytest
from torch import cuda

from espnet_merge.decode import ctranslate2_backend, transcribe
from espnet_merge.decode.ctranslate2_backend import (
    CTranslate2Backend,
    Group,
    check_ready,
    convert,
)
from espnet_merge.decode.recognize import Recognizer
from espnet_merge.decode.search import Hypothesis
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.torch_backend import TorchBackend
from espnet_merge.decode.transcribe import load_backend
from espnet_merge.errors import InputError
from espnet_merge.whisper.model import load_whisper
from espnet_merge.whisper.prompt import load_tokenizer
from tests.decode.test_recognize import batch  # noqa: F401
from tests.decode.test_search import END, talkative


@pytest.fixture(scope="module")
def model(tmp_path_factory, micro_whisper):
    """A Whisper directory whose generation_config.json has suppressed tokens."""
    directory = tmp_path_factory.mktemp("model") / "whisper"
    shutil.copytree(micro_whisper, directory)
    network = talkative(directory, 1)
    # CTranslate2 normalises over the allowed tokens only: give the others hardly any
    # probability.
    decoder = network.model.decoder
    decoder.layer_norm.weight.data[0], decoder.layer_norm.bias.data[0] = 0, 10
    decoder.embed_tokens.weight.data[:, 0] = 0
    decoder.embed_tokens.weight.data[END + 1 :, 0] = -3
    network.generation_config.begin_suppress_tokens = []
    network.generation_config.lang_to_id = {}
    network.generation_config.alignment_heads = [[0, 0]]
    network.save_pretrained(directory)
    return directory


def both(model, max_new_tokens=12, **options):
    """The recognizers of torch and of CTranslate2."""
    settings = Settings(max_new_tokens=max_new_tokens, **options)
    reference = TorchBackend(load_whisper(model), load_tokenizer(model), settings)
    converted = convert(model, None, f"digest of {model}", "float32")
    yield Recognizer(reference)
    yield Recognizer(CTranslate2Backend(load_tokenizer(model), converted, settings))


def test_each_model_has_a_converted_one_of_its_own(
    model, micro_whisper, tmp_path, monkeypatch
):
    """The weights are in pytorch_model.bin, and one of the models has an adapter."""
    monkeypatch.setenv("ESPNET_MERGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(ctranslate2_backend, "_write", lambda *args: args[2].mkdir())
    monkeypatch.setattr(transcribe, "CTranslate2Backend", lambda _, path, __: path)
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    (adapter / "adapter_model.bin").write_bytes(b"one")
    settings, found = Settings(backend="ctranslate2"), []
    for number, source in enumerate((model, micro_whisper)):
        copy = tmp_path / str(number)
        shutil.copytree(source, copy)
        (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
        for side in copy.glob("*.json"):
            side.write_text("{}")
        found += [load_backend(copy, x, settings, None) for x in (None, adapter)]
        (adapter / "adapter_model.bin").write_bytes(b"two")
    assert len(set(found)) == 4
    assert load_backend(copy, None, settings, None) == found[2]
    monkeypatch.setattr(ctranslate2_backend, "version", lambda name: "newer")
    assert load_backend(copy, None, settings, None) not in found


@pytest.mark.parametrize("beam", [1, 5])
@pytest.mark.parametrize("pad_to", [30.0, 1.5, 0.0])
def test_hypotheses_are_those_of_torch(model, batch, beam, pad_to):  # noqa: F811
    torch, other = both(model, beam=beam, pad_to=pad_to, early_stopping=True)
    for ours, theirs in zip(torch(batch), other(batch), strict=True):
        assert theirs.hypothesis.tokens == ours.hypothesis.tokens
        assert theirs.hypothesis.ended == ours.hypothesis.ended
        assert theirs.hypothesis.score == pytest.approx(ours.hypothesis.score, abs=1e-2)


def test_scores_are_sums(model):
    """CTranslate2 divides the sum by the number of tokens without the end."""

    class Result(NamedTuple):
        sequences_ids: list[list[int]]
        scores: list[float]

    class Generator:
        def generate(self, states, prompts, **options):
            texts = [([5, 6], -0.5), ([], -math.inf), ([7] * 12, -0.25)]
            return [Result([tokens], [score]) for tokens, score in texts]

    _, other = both(model)
    other.backend._whisper = Generator()
    assert other.backend.search([Group(None, 3)], [[1, 2, 3, 4]] * 3) == [
        Hypothesis([5, 6], -1.0, ended=True),
        Hypothesis([], 0.0, ended=True),
        Hypothesis([7] * 12, -3.0, ended=False),
    ]


@pytest.mark.parametrize("most", [1, 2, 3, 4, 9])
def test_texts_are_cut_at_the_same_length(model, batch, most):  # noqa: F811
    torch, other = both(model, max_new_tokens=most)
    for ours, theirs in zip(torch(batch), other(batch), strict=True):
        assert theirs.hypothesis.tokens == ours.hypothesis.tokens
        assert len(theirs.hypothesis.tokens) == most or theirs.hypothesis.ended


def test_silence_is_that_of_torch(model, batch):  # noqa: F811
    torch, other = both(model, no_speech=0.0, min_log_probability=0.0)
    for ours, theirs in zip(torch(batch), other(batch), strict=True):
        assert theirs.hypothesis.tokens == ours.hypothesis.tokens == []
        assert theirs.hypothesis.score == pytest.approx(ours.hypothesis.score, abs=1e-2)


def test_the_language_is_chosen_among_candidates(model):
    """CTranslate2 identifies languages only with a vocabulary of Whisper's size."""

    class Detector:
        def detect_language(self, states):
            return [[("<|fr|>", 0.5), ("<|es|>", 0.3), ("<|it|>", 0.1)]] * 2

    _, other = both(model, language="auto", languages=["it", "es"])
    other.backend._whisper = Detector()
    identified = other.backend.identify([Group(None, 2), Group(None, 2)])
    assert [language.code for language in identified] == ["es"] * 4
    assert identified[0].probability == pytest.approx(0.75)


def test_a_model_is_converted_once(model):
    first = convert(model, None, "once", "float32")
    changed = (first / "model.bin").stat().st_mtime_ns
    assert convert(model, None, "once", "float32") == first
    assert (first / "model.bin").stat().st_mtime_ns == changed
    assert convert(model, None, "other", "float32") != first
    small = convert(model, None, "once", "int8")
    assert small != first
    size, small_size = ((d / "model.bin").stat().st_size for d in (first, small))
    assert small_size < size / 2


@pytest.mark.skipif(cuda.is_available(), reason="needs a machine without a GPU")
def test_what_is_missing_is_named(monkeypatch):
    check_ready("cpu")
    with pytest.raises(InputError, match="needs a GPU that CTranslate2 can use"):
        check_ready("cuda")
    monkeypatch.setattr(
        ctranslate2_backend.importlib.util, "find_spec", lambda name: None
    )
    with pytest.raises(InputError, match=r"pip install 'espnet_merge\[ctranslate2\]'"):
        check_ready("cpu")
