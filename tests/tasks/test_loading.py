"""Loaders outlive a TERM to the whole training; small sets are told."""

import argparse
import os
import signal
import subprocess

import pytest
from espnet2.iterators.sequence_iter_factory import SequenceIterFactory

from espnet_merge.errors import InputError
from espnet_merge.tasks.loading import SteadyLoaders, check_processes


def whose_process(index: int) -> int:
    return os.getpid()


class Processes(list):
    """Its items are the numbers of the processes that load them."""

    def __getitem__(self, index: int) -> int:
        return whose_process(index)


def test_loader_ends_by_its_parent_alone():
    batches = [[index] for index in range(20)]
    factory = SequenceIterFactory(Processes(), batches, num_workers=1)
    loader = iter(SteadyLoaders(factory).build_iter(1))
    loading = int(next(loader)[0])
    assert loading != os.getpid()
    subprocess.run(["kill", str(loading)], check=True)
    assert [int(one[0]) for one in loader] == [loading] * 19
    loader = iter(SteadyLoaders(factory).build_iter(1))
    (process,) = loader._workers
    next(loader)
    os.kill(process.pid, signal.SIGTERM)
    process.join(10)
    assert process.exitcode == 0


@pytest.fixture
def args(tmp_path):
    shapes = tmp_path / "shape"
    shapes.write_text("a 1\nb 1\nc 1\n")
    data = [("dump/es_train/wav.scp", "speech", "sound")]
    valid = [("dump/es_valid/wav.scp", "speech", "sound")]
    return argparse.Namespace(
        batch_type="sorted",
        batch_size=4,
        valid_batch_size=2,
        train_shape_file=[str(shapes)],
        valid_shape_file=[str(shapes)],
        train_data_path_and_name_and_type=data,
        valid_data_path_and_name_and_type=valid,
    )


@pytest.mark.parametrize(
    ("mode", "processes", "words"),
    [
        (
            "train",
            4,
            "dump/es_train: each of 4 processes needs an utterance; there are 3",
        ),
        (
            "valid",
            3,
            "dump/es_valid: .* of every batch; a batch has 2: train with fewer",
        ),
    ],
)
def test_set_that_is_smaller_than_the_processes(args, mode, processes, words):
    with pytest.raises(InputError, match=words):
        check_processes(args, mode, processes)
    check_processes(args, mode, 2)
