r"""Score hypotheses against a data directory.

Writes score.json, score_wer/result.txt and score_cer/result.txt beside the hypotheses.
Translations by utt2task are also scored by BLEU and chrF, with sacreBLEU's signature.
Rates are corpus totals in percent. The hypotheses must cover exactly the utterances of
the reference; the words missing from an empty hypothesis count as deletions.

For example:
  espnet-merge score --ref dump/raw/es_test \
    --hyp exp/zero_shot/inference_padded/es_test exp/soup/inference_padded/es_test
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espnet_merge.errors import InputError
from espnet_merge.options import AnyPath, Option, Options, function
from espnet_merge.score.evaluate import METRICS
from espnet_merge.score.normalize import NORMALIZERS

if TYPE_CHECKING:
    from espnet_merge.score.directories import Scores


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Score hypotheses against a data directory.

    Writes ``score.json`` and the alignments beside the hypotheses. Error rates are in
    percent, over the whole set.

    Returns:
        The content of ``score.json`` for each directory; printed, a table.

    Raises:
        InputError: a file is missing or broken, or ids differ. Nothing is written then.

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
            "metrics",
            default="wer cer; for translations also bleu chrf",
            choices=METRICS,
        ),
    ] = None
    normalizer: Annotated[
        str,
        Option(
            "none; basic: no case, no punctuation; fold: basic without diacritics; "
            "whisper: Whisper's rules for English, basic for others; simplified: "
            "basic, with Chinese in simplified characters",
            choices=tuple(NORMALIZERS),
        ),
    ] = "basic"
    baseline: Annotated[
        AnyPath | None,
        Option(
            "hypotheses of another system for the same data, to print differences",
            metavar="DIR",
        ),
    ] = None
    leaderboard: Annotated[
        str | None,
        Option(
            "also write raw results as the Open ASR Leaderboard reads them, of this "
            "model; takes one --hyp",
            metavar="OWNER/NAME",
        ),
    ] = None
    dataset: Annotated[
        str | None,
        Option(
            "what the leaderboard calls the set, as librispeech_test.clean",
            default="name of --ref",
            metavar="NAME",
        ),
    ] = None
    keep_current: Annotated[
        bool,
        Option(
            "keep score.json of directories where texts, normalizer, its rules and "
            "metrics are the same"
        ),
    ] = False

    def __call__(self) -> "Scores":
        """Score every directory, and write the files."""
        from espnet_merge.score.directories import score_directories

        if self.leaderboard:
            from espnet_merge.score.leaderboard import write_manifest

            if len(self.hyp) > 1:
                raise InputError(
                    "--leaderboard takes the hypotheses of one model; got "
                    f"{len(self.hyp)} --hyp: score each on its own."
                )
            place = Path(self.hyp[0])
            write_manifest(Path(self.ref), place, self.leaderboard, self.dataset)
        elif self.dataset:
            raise InputError("--dataset is for --leaderboard: give that, too.")
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
    """Score every directory, and print the table."""
    print(command())
