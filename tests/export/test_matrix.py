"""Each format in and each format out: the runtime of that says what we say."""

import pytest

from espnet_merge.export.check import check, utterances_of
from espnet_merge.export.formats import format_of
from espnet_merge.export.source import folded, open_source

MODELS = ("hf", "bin", "shards", "openai", "ctranslate2", "task", "own")
ADAPTERS = ("peft", "old_peft")
FORMATS = ("hf", "openai", "ctranslate2", "ggml")
said: dict[str, list[str]] = {}


@pytest.fixture(scope="module", params=[*MODELS, *ADAPTERS])
def kind_in(request):
    return request.param


def texts(speaking, kind_in, kind_out, directory):
    """Export, decode there and here, and return what both say."""
    # Of ESPnet's own Whisper and of an adapter the files do not tell all.
    base = {"own": speaking.base, "peft": speaking.hf, "old_peft": speaking.hf}
    with open_source(getattr(speaking, kind_in), base.get(kind_in), {}) as source:
        kind = format_of(kind_out)
        with folded(source) as whole:
            kind.write(whole, directory, kind.dtypes[0])
        utterances = utterances_of(speaking.data, source.model)
        checked = check(kind, directory, source, utterances)
    assert str(checked).endswith("2 of 2 texts are equal"), str(checked)
    return [pair.theirs for pair in checked.pairs]


@pytest.mark.parametrize("kind_out", FORMATS)
def test_texts_are_equal(speaking, kind_in, kind_out, tmp_path):
    found = texts(speaking, kind_in, kind_out, tmp_path)
    # And what went in is one model, or one adapter of it, whatever its format.
    group = "adapter" if kind_in in ADAPTERS else "model"
    assert found == said.setdefault(group, found)
    assert len(set(found)) == 2
    assert all(found)


def test_an_adapter_says_something_else():
    assert said["model"] != said["adapter"]


@pytest.mark.parametrize("kind_in", ["hf", "peft"])
def test_texts_of_onnx_are_equal(speaking, kind_in, tmp_path):
    assert (
        texts(speaking, kind_in, "onnx", tmp_path)
        == (said["adapter" if kind_in == "peft" else "model"])
    )
