"""WhisperTask beside a loop over transformers and peft, on a micro Whisper."""

import importlib
from pathlib import Path

import pytest

from tests.micro import write_micro_whisper
from tests.speech import write_data

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def short_whisper(tmp_path_factory) -> Path:
    """A Whisper whose window is 2 s, for transformers pads to all of it."""
    return write_micro_whisper(tmp_path_factory.mktemp("short"), window=2)


def test_lora_learns_what_a_loop_by_hand_learns(short_whisper, tmp_path, monkeypatch):
    """Issue 5: the same losses over 20 steps, from the same seed and data order."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    benchmark = importlib.import_module("lora_training")
    data = write_data(tmp_path / "data", languages=("es", "ru"), count=40)
    benchmark.take(data, tmp_path, 40)
    share = ("--max_trainable_share", "0.3")
    steps = benchmark.train(
        short_whisper, tmp_path, "--pad_to", "2", "--tail", "0", "--batch_size", "2",
        "--num_workers", "0", "--lora_conf", "r=4", *share,
    )  # fmt: skip
    names = [step["names"] for step in steps]
    assert len(names) == 20
    assert names != sorted(names)
    again = benchmark.by_hand(short_whisper, tmp_path, names, r=4)
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert benchmark.difference(steps, again) < 1e-3
