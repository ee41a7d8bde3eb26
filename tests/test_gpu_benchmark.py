"""The benchmark of a GPU, rehearsed on the CPU with micro models."""

import importlib
import subprocess
from pathlib import Path

import pytest
import torch

from espnet_merge.checkpoint import open_checkpoint

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    module = importlib.import_module("gpu")
    monkeypatch.setattr(module, "CORES", 1)
    monkeypatch.setattr(module, "METHODS", ["iso_c"])
    return module


def rows(file):
    lines = file.read_text("utf-8").splitlines()
    table = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
    return {cells[0]: cells[1:] for cells in table[2:]}


def test_a_rehearsal_measures_every_part(gpu, tmp_path):
    table = tmp_path / "GPU.md"
    words = ["--rehearse", "--model", "none", "--work", tmp_path, "--output", table]
    assert gpu.main([*map(str, words)]) == 0, table.read_text("utf-8")
    assert "random weights" in table.read_text("utf-8")
    found = rows(table)
    assert "skipped" in found["tests marked `gpu`"][-1]
    merged = "iso_c of 2 experts, shapes of nano"
    assert found[merged][-1] == "task vectors differ by 0e+00 at most"
    for what in ("training step, 4 utterances", "an utterance decoded, beam 5", merged):
        cpu, other, ratio = map(float, found[what][:3])
        assert cpu > 0
        assert ratio == pytest.approx(cpu / other, rel=0.1, abs=0.06)
    adapters = [cells for what, cells in found.items() if what.startswith("eight ")]
    assert len(adapters) == 4
    assert all(cells[-1].endswith("4 texts of its") for cells in adapters)


def test_a_part_that_fails_is_a_row(gpu, tmp_path, monkeypatch):
    def broken(run):
        yield gpu.Row("done", 2.0, 0.5)
        raise RuntimeError

    monkeypatch.setattr(gpu, "PARTS", [broken])
    table = tmp_path / "GPU.md"
    words = ["--rehearse", "--work", tmp_path, "--output", table]
    assert gpu.main([*map(str, words)]) == 1
    assert rows(table)["done"][:3] == ["2", "0.5", "4.0"]
    assert rows(table)["broken"][-1] == "failed: RuntimeError"


@pytest.mark.usefixtures("gpu")
def test_the_random_whisper_has_the_shapes_of_base(tmp_path):
    synthetic = importlib.import_module("synthetic")
    directory = synthetic.random_whisper(tmp_path / "base", "base")
    made = open_checkpoint(directory).entries
    expected = synthetic.shapes(synthetic.whisper_config("base"))
    assert {name: entry.shape for name, entry in made.items()} == expected


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_without_a_gpu_it_says_so():
    before = sorted(BENCHMARKS.iterdir())
    done = subprocess.run(
        [BENCHMARKS / "gpu.sh"], capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == 1
    assert "no GPU that torch can use" in done.stdout
    assert sorted(BENCHMARKS.iterdir()) == before
