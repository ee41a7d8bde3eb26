"""What whisper_train and objectives_train do before ESPnet is called."""

import pytest

from espnet_merge.bin._training import train
from espnet_merge.errors import InputError


class Task:
    """In place of one of ESPnet's."""

    words = None

    @classmethod
    def main(cls, cmd):
        cls.words = cmd


def test_names_of_options_have_dashes_or_underscores():
    words = ["--max-epoch", "-1", "--lora_conf=a-b", "--train-args", "x-y_z"]
    train("whisper_train", lambda: Task, words)
    assert Task.words == [
        *("--max_epoch", "-1", "--lora_conf=a-b", "--train_args", "x-y_z")
    ]


def test_mistakes_are_one_line(capsys):
    def task():
        raise InputError("no such base.")

    with pytest.raises(SystemExit) as end:
        train("whisper_train", task, [])
    assert end.value.code == 2
    assert capsys.readouterr().err == "whisper_train: error: no such base.\n"
