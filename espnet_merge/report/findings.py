"""The significance tests of one decoding mode, computed once for the whole report."""

from pathlib import Path
from typing import NamedTuple

from espnet_merge.report import significance, translations
from espnet_merge.report.choice import choice, transcription
from espnet_merge.report.results import Results, by_task
from espnet_merge.report.significance import Tested
from espnet_merge.report.summary import summary


class Findings(NamedTuple):
    """The tested differences of one decoding mode.

    Attributes:
        transcribed: differences of error rates from the base.
        translated: differences of BLEU from the base.
        fallen: system -> columns in which it is significantly worse than the base, of
            transcribed sets.
        choice: which system to use, and why; empty if there is no choice.
        summary: sentences that summarise both tasks.
    """

    transcribed: Tested
    translated: Tested
    fallen: dict[str, list[str]]
    choice: str
    summary: str


def find(results: Results, expdir: Path) -> Findings:
    """Test the differences of one decoding mode.

    Args:
        results: scores of the mode.
        expdir: directory of the systems, for the texts of translations.

    Raises:
        InputError: texts of translations are broken, or their ids are not the same.
    """
    transcribed, translated = by_task(results)
    rates = significance.draw(transcribed)
    tested = significance.against_base(transcribed, rates)
    fallen = significance.fallen(transcribed)
    bleu = translations.draw(translated, expdir)
    of_bleu = translations.against_base(translated, bleu)
    lost = translations.fallen(translated, of_bleu)
    tasks = [
        transcription(transcribed, rates),
        translations.translation(translated, bleu),
    ]
    sentences = [summary(transcribed, tested)] if transcribed.scores else []
    return Findings(
        transcribed=tested,
        translated=of_bleu,
        fallen=fallen,
        choice=choice(
            [task for task in tasks if task is not None],
            {x: [*fallen.get(x, ()), *lost.get(x, ())] for x in results.plan.kinds},
        ),
        summary=" ".join([*sentences, translations.summary(translated)]).strip(),
    )
