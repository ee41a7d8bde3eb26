"""Train Whisper on several objectives: ``python -m espnet_merge.bin.objectives_train``.

Takes the options of ``whisper_train`` and ``objectives_conf``; see ``--help``,
``conf/train/objectives_*.yaml`` and docs/objective_soups.md.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from espnet_merge.bin._training import train

if TYPE_CHECKING:
    from espnet_merge.tasks.objectives import ObjectivesTask


def main(cmd: Sequence[str] | None = None) -> None:
    """Run ``ObjectivesTask``; exit 2 with one line on bad input."""
    train("objectives_train", _task, cmd)


def _task() -> "type[ObjectivesTask]":
    from espnet_merge.tasks.objectives import ObjectivesTask

    return ObjectivesTask


if __name__ == "__main__":
    main()
