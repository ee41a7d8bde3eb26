"""Each token of a step counts alike, whatever batch or process it is in."""

import shutil
from pathlib import Path

import pytest
import torch

from espnet_merge.bin.whisper_train import main as whisper_train
from tests.speech import write_data
from tests.tasks.processes import train_in_two
from tests.tasks.test_whisper import arguments

SGD = ("--optim", "sgd", "--optim_conf", "lr=0.01")
COUNT = 12


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Texts of 1, 4, 7 … words."""
    root = tmp_path_factory.mktemp("data")
    for seed, part in enumerate(("train", "valid")):
        write_data(root / part, count=COUNT, seed=seed)
        rows = [f"es-{i:03d} {'palabra ' * (3 * i + 1)}\n" for i in range(COUNT)]
        (root / part / "text").write_text("".join(rows))
    return root


def train(whisper, data, exp, *more, epochs=1):
    words = ("--max_epoch", str(epochs), *SGD, *more)
    whisper_train(arguments(whisper, data, exp, *words))
    return checkpoint(exp)


def checkpoint(exp):
    return torch.load(exp / "checkpoint.pth", weights_only=True)


def movement(state, whisper) -> torch.Tensor:
    """Return how far all weights moved, in one vector."""
    from espnet_merge.whisper.model import load_whisper

    before = load_whisper(whisper).state_dict()
    moved = [state["model"][f"network.{n}"] - p for n, p in before.items()]
    return torch.cat([part.flatten() for part in moved])


def difference(state, other, whisper) -> float:
    one, two = movement(state, whisper), movement(other, whisper)
    return float((one - two).norm() / one.norm())


def test_two_processes_move_as_one(micro_whisper, data, tmp_path):
    batches = ("--batch_size", "4")
    one = train(micro_whisper, data, tmp_path / "one", *batches)
    options = ("--max_epoch", "1", *SGD, *batches)
    two = arguments(micro_whisper, data, tmp_path / "two", *options)
    train_in_two(whisper_train, two, tmp_path / "store")
    assert difference(one, checkpoint(tmp_path / "two"), micro_whisper) < 1e-5


@pytest.mark.parametrize("keep", ["0", "5.0"])
def test_accumulated_batches_move_as_one(micro_whisper, data, tmp_path, keep):
    keeping = ("--model_conf", f"keep_languages={keep}")
    one = train(micro_whisper, data, tmp_path / "one", "--batch_size", "12", *keeping)
    three = ("--batch_size", "4", "--accum_grad", "3", *keeping)
    both = train(micro_whisper, data, tmp_path / "three", *three)
    assert difference(one, both, micro_whisper) < 1e-5
    losses = [x["reporter"]["stats"][1]["train"]["loss"] for x in (one, both)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_what_is_left_of_an_epoch_is_a_step_of_its_own(micro_whisper, data, tmp_path):
    """And is not lost when the run is resumed."""
    few = ("--batch_size", "4", "--accum_grad", "2", "--optim", "adamw")
    whole = train(micro_whisper, data, tmp_path / "whole", *few, epochs=2)
    train(micro_whisper, data, tmp_path / "cut", *few)
    shutil.rmtree(tmp_path / "cut" / "images", ignore_errors=True)
    cut = train(micro_whisper, data, tmp_path / "cut", *few, epochs=2)
    # Three batches an epoch: one step of two of them, and one of the last.
    assert {x["step"].item() for x in whole["optimizers"][0]["state"].values()} == {4}
    assert difference(whole, cut, micro_whisper) == 0


def test_validation_does_not_depend_on_batches(micro_whisper, data, tmp_path):
    found = []
    for size in ("1", "4", "12"):
        exp = tmp_path / size
        state = train(micro_whisper, data, exp, "--valid_batch_size", size)
        found.append(state["reporter"]["stats"][1]["valid"])
    for other in found[1:]:
        assert other["loss"] == pytest.approx(found[0]["loss"], rel=1e-5)
        assert other["acc"] == pytest.approx(found[0]["acc"], rel=1e-5)
