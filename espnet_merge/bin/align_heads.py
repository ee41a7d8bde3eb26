r"""Find the heads of attention that tell when words are said; repair word timestamps.

After fine-tuning or merging, the heads that generation_config.json names may no longer
follow the words. This command reads the texts of a data directory to the model, looks
where each head looks, and writes the best heads there; other keys stay as they are.
With --ctm, a forced alignment of the same texts, it chooses the heads with the smallest
errors of word boundaries, and prints errors before and after; without, the heads whose
attention is sharpest.

For example:
  espnet-merge align-heads --model exp/ties/model --data dump/raw/en_valid \
    --ctm exp/en_valid.ctm
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espnet_merge.options import AnyPath, Option, Options

if TYPE_CHECKING:
    from espnet_merge.alignment.align import AlignmentHeads


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Choose the alignment heads of a Whisper."""

    model: Annotated[AnyPath, Option("Hugging Face Whisper directory")]
    data: Annotated[
        AnyPath,
        Option("Kaldi data directory: wav.scp, text, utt2lang", metavar="DATADIR"),
    ]
    ctm: Annotated[
        AnyPath | None,
        Option("forced alignment of the same texts, in CTM format", metavar="FILE"),
    ] = None
    heads: Annotated[int, Option("heads to choose, at most", least=1, metavar="N")] = 10
    dry_run: Annotated[bool, Option("print the heads, and write nothing")] = False

    def __call__(self) -> "AlignmentHeads":
        """Choose the heads, and write them."""
        from espnet_merge.alignment.align import find_heads, write_heads
        from espnet_merge.alignment.words import read_ctm

        model = Path(self.model)
        reference = read_ctm(Path(self.ctm)) if self.ctm else None
        found = find_heads(model, Path(self.data), reference, self.heads)
        if not self.dry_run:
            write_heads(model, found.heads)
        return found


def main(command: Command) -> None:
    """Choose the heads, write and print them."""
    print(command())
