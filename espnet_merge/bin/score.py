"""Score hypotheses against a data directory.

Writes score.json, score_wer/result.txt and score_cer/result.txt beside the
hypotheses. What utt2task says is to be translated is scored by BLEU and chrF, too, with
sacreBLEU's signature. Rates are corpus totals in percent. The hypotheses must cover
exactly the utterances of the reference; an empty hypothesis counts as deletions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espnet_merge.options import AnyPath, Option, Options, function
from espnet_merge.score.evaluate import METRICS
from espnet_merge.score.normalize import NORMALIZERS

if TYPE_CHECKING:
    from espnet_merge.score.directories import Scores


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Score hypotheses against a data directory.

    Writes ``score.json`` and the alignments beside the hypotheses. Error rates are in
    percent, of the whole set.

    Returns:
        What ``score.json`` holds of each directory; as text, a table.

    Raises:
        InputError: a file is missing or broken, or ids differ; nothing is written then.

    Example:
        >>> import espnet_merge as em
        >>> found = em.score(ref="dump/raw/es_test", hyp=["exp/copy/es_test"])
        >>> found["exp/copy/es_test"]["metrics"]["wer"]["normalized"]["rate"]
        0.0
    """

    ref: Annotated[
        AnyPath, Option("Kaldi data directory: text, utt2lang", metavar="DATADIR")
    ]
    hyp: Annotated[
        Sequence[AnyPath],
        Option(
            "directories with the hypotheses: text, and text.json if decode wrote it",
            metavar="DIR",
        ),
    ]
    metric: Annotated[
        Sequence[str] | None,
        Option(
            "what to measure",
            default="wer cer; of translations bleu chrf, too",
            choices=METRICS,
        ),
    ] = None
    normalizer: Annotated[
        str,
        Option(
            "none; basic: no case, no punctuation; fold: and no diacritics; whisper: "
            "Whisper's rules for English, basic for others; simplified: basic, and "
            "Chinese in simplified characters",
            choices=tuple(NORMALIZERS),
        ),
    ] = "basic"
    baseline: Annotated[
        AnyPath | None,
        Option(
            "hypotheses of another system for the same data, to show the difference",
            metavar="DIR",
        ),
    ] = None
    keep_current: Annotated[
        bool,
        Option(
            "leave directories whose score.json is of these very texts, this "
            "normalizer with the rules that it has now, and these metrics"
        ),
    ] = False

    def __call__(self) -> "Scores":
        """Score every directory, and write the files."""
        from espnet_merge.score.directories import score_directories

        return score_directories(
            Path(self.ref),
            [Path(place) for place in self.hyp],
            self.normalizer,
            self.metric,
            baseline=Path(self.baseline) if self.baseline else None,
            keep_current=self.keep_current,
        )


score = function(Command, "score")


def main(command: Command) -> None:
    """Score every directory, print the table."""
    print(command())
