"""Train a Whisper expert with ESPnet: ``python -m espnet_merge.bin.whisper_train``.

Takes the options and YAML keys of ESPnet's own train commands; see ``--help`` and
``conf/train/*.yaml``.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from espnet_merge.bin._training import train

if TYPE_CHECKING:
    from espnet_merge.tasks.whisper import WhisperTask


def main(cmd: Sequence[str] | None = None) -> None:
    """Run ``WhisperTask``; exit 2 with one line on bad input."""
    train("whisper_train", _task, cmd)


def _task() -> "type[WhisperTask]":
    from espnet_merge.tasks.whisper import WhisperTask

    return WhisperTask


if __name__ == "__main__":
    main()
