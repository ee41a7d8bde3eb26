"""Train a Whisper expert with ESPnet: ``python -m espnet_merge.bin.whisper_train``.

Takes the options and YAML keys of ESPnet's own train commands; see ``--help`` and
``conf/train/*.yaml``.
"""

import os
import sys
from collections.abc import Sequence

from espnet_merge.errors import InputError


def main(cmd: Sequence[str] | None = None) -> None:
    """Run ``WhisperTask``; exit 2 with one line on bad input."""
    # ESPnet's data loader forks after the tokenizer was used.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from espnet_merge.tasks.whisper import WhisperTask

    try:
        WhisperTask.main(cmd=cmd)
    except InputError as error:
        print(f"whisper_train: error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
