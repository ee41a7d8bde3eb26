r"""Drop utterances that Whisper cannot use, with a count per reason.

Audio must be readable, finite, 16 kHz mono, neither too long nor too short. There must
be a text, and it must fit into the decoder. Whisper must know language and task. Tokens
are counted only with --model, because that needs its tokenizer. --max-utterances limits
the number of usable utterances, which are chosen by their names. Of a test set nothing
may be dropped for what it is: --keep-all keeps unusable utterances and counts them, and
--max-utterances then chooses among all names.

For example:
  espnet-merge filter --data dump/org/es_train --output dump/es_train \
    --model exp/base --max-seconds 30
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from espnet_merge.data.limits import Limits
from espnet_merge.options import AnyPath, Option, part
from espnet_merge.whisper.source import model_option


@dataclass(frozen=True, kw_only=True)
class Command(Limits):
    """Drop utterances that Whisper cannot use."""

    data: Annotated[AnyPath, Option("Kaldi data directory")]
    output: Annotated[AnyPath, Option("directory to write")]
    keep_all: Annotated[
        bool, Option("keep unusable utterances, too; for test sets")
    ] = False
    model: Annotated[
        AnyPath | None, model_option("Whisper, to count tokens", weights=False)
    ] = None
    overwrite: Annotated[bool, Option("replace --output")] = False

    def __call__(self) -> str:
        """Filter, and return a table of reasons with their counts."""
        from espnet_merge.data.filter import filter_data
        from espnet_merge.disk.atomic import check_output
        from espnet_merge.files import WAV_SCP
        from espnet_merge.speech import LANGUAGES
        from espnet_merge.whisper.fetched import languages_of

        output = Path(self.output)
        check_output(output, overwrite=self.overwrite, mark=WAV_SCP)
        count, known = None, frozenset(LANGUAGES)
        if self.model:
            # Imported here, because it takes seconds and only this option needs it.
            from espnet_merge.whisper.prompt import load_tokenizer, token_counter

            model = Path(self.model)
            count, known = token_counter(load_tokenizer(model)), languages_of(model)
        limits = part(self, Limits)
        report = filter_data(
            Path(self.data), output, limits, count, known, keep_all=self.keep_all
        )
        if self.keep_all:
            what = "all are kept"
            if self.max_utterances is not None:
                what = (
                    f"{self.max_utterances} are kept at most, usable or not, of these"
                )
            return "\n  ".join([f"{output}: {what}", *report.table("usual")])
        return "\n  ".join([f"{output}", *report.table()])


def main(command: Command) -> None:
    """Filter and print the table."""
    print(command())
