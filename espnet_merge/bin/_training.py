"""What the two commands that train share: names of options, and errors in one line."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from espnet_merge.errors import one_line_error
from espnet_merge.extras import named_extra
from espnet_merge.options import with_one_sign

if TYPE_CHECKING:
    from espnet_merge.tasks.whisper import WhisperTask


def train(
    program: str, task: Callable[[], "type[WhisperTask]"], cmd: Sequence[str] | None
) -> None:
    """Run a task of ESPnet's; exit 2 with one line on bad input.

    Args:
        program: name in messages.
        task: imports it, which takes seconds and needs the extra ``train``.
        cmd: words of the command line; in names of options ``_`` and ``-`` are one.
    """
    # ESPnet's data loader forks after the tokenizer was used.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    words = sys.argv[1:] if cmd is None else cmd
    with one_line_error(program), named_extra("train"):
        from espnet_merge.tasks.sound import readable_audio

        with readable_audio():
            task().main(cmd=[with_one_sign(word, "_") for word in words])
