"""Train a Whisper expert with ESPnet: ``python -m espnet_merge.bin.whisper_train``.

Takes the options and YAML keys of ESPnet's own train commands; see ``--help`` and
``conf/train/*.yaml``.
"""

import os
from collections.abc import Sequence

from espnet_merge.errors import one_line_error


def main(cmd: Sequence[str] | None = None) -> None:
    """Run ``WhisperTask``; exit 2 with one line on bad input."""
    # ESPnet's data loader forks after the tokenizer was used.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from espnet_merge.tasks.sound import readable_audio
    from espnet_merge.tasks.whisper import WhisperTask

    with one_line_error("whisper_train"), readable_audio():
        WhisperTask.main(cmd=cmd)


if __name__ == "__main__":
    main()
