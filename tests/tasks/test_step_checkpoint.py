"""A training that a signal stops within an epoch goes on as if nothing had happened."""

import os
import signal
from pathlib import Path

import pytest
import torch
from espnet2.tasks.abs_task import AbsTask
from espnet2.train.reporter import SubReporter
from torch.multiprocessing.spawn import ProcessExitedException

from espnet_merge.bin.objectives_train import main as objectives_train
from espnet_merge.bin.whisper_train import main as whisper_train
from espnet_merge.tasks import whisper
from espnet_merge.tasks.step_checkpoint import AGAIN, STEP, StepCheckpoint
from tests.speech import write_data
from tests.tasks.test_objectives import SOUP, words, write_tasks
from tests.tasks.test_whisper import LORA, arguments

MASKS = (
    *("--specaug", "specaug", "--specaug_conf", "apply_time_warp=false"),
    *("--specaug_conf", "time_mask_width_range=10"),
)
WARM_UP = ("--scheduler", "warmuplr", "--scheduler_conf", "warmup_steps=3")
EPOCHS = 2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five batches of four utterances, so that of two accumulated one is left."""
    root = tmp_path_factory.mktemp("data")
    write_data(root / "train", languages=("es", "ru"), count=20)
    write_data(root / "valid", languages=("es", "ru"), count=4, seed=1)
    return root


@pytest.fixture
def signal_after(monkeypatch):
    """Send a signal after a batch: of training or validation, in an epoch."""

    def send(number: signal.Signals, part: str, epoch: int, batch: int) -> None:
        whole = SubReporter.next

        def watched(reporter) -> None:
            whole(reporter)
            if (reporter.key, reporter.epoch, reporter.count) == (part, epoch, batch):
                monkeypatch.setattr(SubReporter, "next", whole)
                os.kill(os.getpid(), number)

        monkeypatch.setattr(SubReporter, "next", watched)

    return send


def stopped(arguments: list[str], train=whisper_train) -> None:
    with pytest.raises(SystemExit) as end:
        train(arguments)
    assert end.value.code == AGAIN


def outcome(exp: Path) -> tuple[dict[str, torch.Tensor], list[float]]:
    """Return the parameters, and the losses of all epochs."""
    states = torch.load(exp / "checkpoint.pth", weights_only=True)
    epochs = states["reporter"]["stats"]
    losses = [epochs[e][p]["loss"] for e in sorted(epochs) for p in ("train", "valid")]
    return torch.load(exp / f"{EPOCHS}epoch.pth", weights_only=True), losses


ACCUMULATED = ("--accum_grad", "2", *MASKS)


@pytest.mark.parametrize(
    ("options", "number", "part", "epoch", "batch", "done"),
    [
        ((*MASKS, *WARM_UP), signal.SIGUSR1, "train", 1, 2, 2),
        (MASKS, signal.SIGTERM, "train", 2, 4, 4),
        ((*LORA, *MASKS), signal.SIGTERM, "train", 2, 1, 1),
        (MASKS, signal.SIGUSR1, "train", 2, 5, 5),
        (MASKS, signal.SIGUSR1, "valid", 1, 1, 5),
        (ACCUMULATED, signal.SIGUSR1, "train", 2, 3, 4),
        (ACCUMULATED, signal.SIGUSR1, "train", 1, 5, 5),
        (("--num_workers", "1", *MASKS), signal.SIGUSR1, "train", 1, 3, 3),
    ],
)
def test_stopped_and_resumed_equals_undisturbed(
    micro_whisper,
    data,
    tmp_path,
    signal_after,
    options,
    number,
    part,
    epoch,
    batch,
    done,
):
    more = ("--max_epoch", str(EPOCHS), *options)
    whisper_train(arguments(micro_whisper, data, tmp_path / "whole", *more))
    cut = arguments(micro_whisper, data, tmp_path / "cut", *more)
    before = signal.getsignal(number)
    signal_after(number, part, epoch, batch)
    stopped(cut)
    assert signal.getsignal(number) is before
    saved = torch.load(tmp_path / "cut" / STEP, weights_only=True)
    assert (saved["epoch"], saved["done"]) == (epoch, done)
    whisper_train(cut)
    assert not (tmp_path / "cut" / STEP).exists()
    found, losses = outcome(tmp_path / "cut")
    expected, expected_losses = outcome(tmp_path / "whole")
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert losses == expected_losses


def test_stopped_twice_in_an_epoch(micro_whisper, data, tmp_path, signal_after):
    more = ("--max_epoch", str(EPOCHS))
    whisper_train(arguments(micro_whisper, data, tmp_path / "whole", *more))
    cut = arguments(micro_whisper, data, tmp_path / "cut", *more)
    for batch in (1, 4):
        signal_after(signal.SIGTERM, "train", 1, batch)
        stopped(cut)
    whisper_train(cut)
    found, losses = outcome(tmp_path / "cut")
    expected, expected_losses = outcome(tmp_path / "whole")
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert losses == expected_losses


def test_soup_that_is_stopped_goes_on(micro_whisper, tmp_path, signal_after):
    write_tasks(tmp_path / "train", 16)
    write_tasks(tmp_path / "valid", 4, seed=1)

    def options(name: str) -> list[str]:
        exp = tmp_path / name
        return words(micro_whisper, tmp_path, exp, SOUP, "--max_epoch", str(EPOCHS))

    objectives_train(options("whole"))
    for epoch, step in ((1, 3), (2, 1)):
        signal_after(signal.SIGTERM, "train", epoch, step)
        stopped(options("cut"), objectives_train)
    objectives_train(options("cut"))
    found, losses = outcome(tmp_path / "cut")
    expected, expected_losses = outcome(tmp_path / "whole")
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0, equal_nan=True)
    assert losses == expected_losses
    tables = [(tmp_path / n / "conflict.tsv").read_text() for n in ("cut", "whole")]
    assert tables[0] == tables[1]


def test_what_was_saved_is_left_alone_without_resume(
    micro_whisper, data, tmp_path, signal_after
):
    more = ("--max_epoch", "1")
    cut = arguments(micro_whisper, data, tmp_path / "cut", *more)
    signal_after(signal.SIGTERM, "train", 1, 2)
    stopped(cut)
    whole = arguments(micro_whisper, data, tmp_path / "whole", *more)
    whisper_train(whole)
    whisper_train([*cut, "--resume", "false"])
    found = torch.load(tmp_path / "cut" / "1epoch.pth", weights_only=True)
    expected = torch.load(tmp_path / "whole" / "1epoch.pth", weights_only=True)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_directory_that_took_the_name_is_not_written_to(
    micro_whisper, data, tmp_path, monkeypatch
):
    exp, moved = tmp_path / "exp", tmp_path / "moved"
    whole = SubReporter.next

    def move(reporter) -> None:
        whole(reporter)
        if reporter.count == 2 and not moved.exists():
            exp.rename(moved)
            exp.mkdir()
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(SubReporter, "next", move)
    stopped(arguments(micro_whisper, data, exp, "--max_epoch", "1"))
    assert not list(exp.iterdir())
    assert not (moved / STEP).exists()


def test_signals_before_the_first_step(micro_whisper, data, tmp_path, monkeypatch):
    """USR1 ends nothing, for nothing could be saved; TERM ends all, for the same."""
    seen = []
    find_models = whisper.find_models

    def find(args) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        seen.append(signal.getsignal(signal.SIGTERM))
        find_models(args)

    monkeypatch.setattr(whisper, "find_models", find)
    exp = tmp_path / "exp"
    whisper_train(arguments(micro_whisper, data, exp, "--max_epoch", "1"))
    assert seen == [signal.SIG_DFL]
    assert (exp / "1epoch.pth").exists()


@pytest.mark.parametrize("status", [AGAIN, 1])
def test_processes_of_several_gpus_that_stop(monkeypatch, status):
    def main(args, cmd) -> None:
        raise ProcessExitedException("ended", 0, 1, status)

    monkeypatch.setattr(AbsTask, "main", main)
    with pytest.raises(
        SystemExit if status == AGAIN else ProcessExitedException
    ) as end:
        whisper.WhisperTask.main(cmd=[])
    assert getattr(end.value, "code", AGAIN) == AGAIN


def test_a_process_may_be_here_before_the_one_that_makes_the_directory(tmp_path):
    model = torch.nn.Linear(1, 1)
    place = tmp_path / "exp" / "two"
    step = StepCheckpoint(place, model, [], [], distributed=True, device="cpu")
    assert place.is_dir()
    assert step.path.parent == place
