"""The benchmark of formats, on a micro Whisper that speaks."""

import argparse
import importlib
from contextlib import nullcontext
from pathlib import Path

import pytest

from espnet_merge.decode.utterances import read_audio
from espnet_merge.errors import InputWarning
from espnet_merge.export.check import utterances_of
from tests.export.conftest import speaking, vocabulary

__all__ = ["speaking", "vocabulary"]
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("formats")


def test_what_has_the_same_bytes_is_decoded_once(benchmark, speaking, tmp_path):
    args = argparse.Namespace(
        model=speaking.hf, data=speaking.data, work=tmp_path, silence=False
    )
    for given in ("hf", "bin", "lightning", "espnet"):
        told = nullcontext()
        if given == "espnet":
            told = pytest.warns(InputWarning, match="the result is weights alone")
        with told:
            found = benchmark.measured(given, "hf", args)
        benchmark.note(tmp_path, f"{given} -> hf", found)
    results = benchmark.known(tmp_path)
    assert "like" not in results["hf -> hf"]
    lines = benchmark.table(
        results, ["hf", "bin", "lightning", "espnet"], ["hf", "peft"]
    )
    assert lines[2:6] == [
        "| hf | 2 of 2 | – |",
        "| bin | 2 of 2, same bytes | – |",
        "| lightning | 2 of 2, same bytes | – |",
        "| espnet | 2 of 2, same bytes | – |",
    ]
    assert lines[9].startswith("| hf | ")
    results["hf -> hf"]["pairs"]["es-hello-world"] = ["this", "that"]
    lines = benchmark.table(results, ["hf"], ["hf"])
    assert lines[2] == "| hf | 2 of 3 |"
    assert lines[-1] == "hf -> hf: es-hello-world: 'this' here, 'that' there"


def test_utterances_with_silence_after_them(benchmark, speaking, tmp_path):
    (one, *_) = utterances_of(speaking.data, speaking.hf)
    padded = benchmark.padded(one, tmp_path)
    assert padded.seconds == 30
    audio, spoken = read_audio(padded), read_audio(one)
    assert (audio[: one.samples] == spoken).all()
    assert not audio[one.samples :].any()


def test_formats_of_adapters_and_of_models(benchmark):
    outs = {given: [] for given in benchmark.INPUTS}
    for given in benchmark.INPUTS:
        outs[given] = [x for x in benchmark.OUTPUTS if benchmark.possible(given, x)]
    assert "bundle" in outs["hf"]
    assert "peft" not in outs["hf"]
    assert "peft" in outs["peft .bin"]
    assert "bundle" not in outs["peft .bin"]
