"""Train Whisper on several objectives: ``python -m espnet_merge.bin.objectives_train``.

Takes the options of ``whisper_train`` and ``objectives_conf``; see ``--help``,
``conf/train/objectives_*.yaml`` and docs/objective_soups.md.
"""

import os
from collections.abc import Sequence

from espnet_merge.errors import one_line_error


def main(cmd: Sequence[str] | None = None) -> None:
    """Run ``ObjectivesTask``; exit 2 with one line on bad input."""
    # ESPnet's data loader forks after the tokenizer was used.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from espnet_merge.tasks.objectives import ObjectivesTask
    from espnet_merge.tasks.sound import readable_audio

    with one_line_error("objectives_train"), readable_audio():
        ObjectivesTask.main(cmd=cmd)


if __name__ == "__main__":
    main()
