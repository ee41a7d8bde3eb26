"""Score hypotheses against a data directory.

Writes score.json, score_wer/result.txt and score_cer/result.txt beside the
hypotheses. Rates are corpus totals in percent. The hypotheses must cover exactly the
utterances of the reference; an empty hypothesis counts as deletions.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from espnet_merge.data.whole_file import whole_file
from espnet_merge.score.counts import count
from espnet_merge.score.evaluate import (
    ERROR_RATES,
    METRICS,
    aligned,
    count_by_speaker,
    evaluate,
)
from espnet_merge.score.normalize import NORMALIZERS
from espnet_merge.score.result import alignments, summary
from espnet_merge.score.utterances import (
    Utterance,
    normalized,
    read_mode,
    read_utterances,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``espnet-merge score``."""
    parser.add_argument(
        "--ref",
        type=Path,
        required=True,
        metavar="DATADIR",
        help="Kaldi data directory: text, utt2lang",
    )
    parser.add_argument(
        "--hyp",
        type=Path,
        required=True,
        nargs="+",
        metavar="DIR",
        help="directories with the hypotheses: text, and text.json if decode wrote it",
    )
    parser.add_argument(
        "--metric",
        nargs="+",
        choices=METRICS,
        default=list(ERROR_RATES),
        help="what to measure (default: wer cer)",
    )
    parser.add_argument(
        "--normalizer",
        choices=tuple(NORMALIZERS),
        default="basic",
        help="none; basic: no case, no punctuation; fold: and no diacritics; "
        "whisper: Whisper's rules for English, basic for others (default: basic)",
    )
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="DIR",
        help="hypotheses of another system for the same data, to show the difference",
    )


def main(args: argparse.Namespace) -> None:
    """Score every directory, write the files, print the table."""
    baseline = args.baseline and _score(args.ref, args.baseline, args)[1]
    # All are scored before the first is written: bad input leaves nothing behind.
    scored = [(hyp, *_score(args.ref, hyp, args)) for hyp in args.hyp]
    for hyp, utterances, score in scored:
        if baseline:
            score["baseline"] = {
                "path": str(args.baseline),
                "metrics": baseline["metrics"],
            }
        _write(hyp, utterances, score)
    for line in _table(scored, baseline):
        print(line)


def _score(
    ref: Path, hyp: Path, args: argparse.Namespace
) -> tuple[list[Utterance], dict[str, Any]]:
    utterances = read_utterances(ref, hyp)
    score = {
        "reference": str(ref),
        "mode": read_mode(hyp),
        **evaluate(utterances, args.normalizer, args.metric),
    }
    return utterances, score


def _write(hyp: Path, utterances: Sequence[Utterance], score: dict[str, Any]) -> None:
    clean = normalized(utterances, score["normalizer"])
    for metric in (metric for metric in ERROR_RATES if metric in score["metrics"]):
        title = f"{metric.upper()} of {hyp}, normalizer {score['normalizer']}"
        with (
            whole_file(hyp / f"score_{metric}" / "result.txt") as part,
            part.open("w", encoding="utf-8") as file,
        ):
            for line in summary(title, count_by_speaker(clean, metric)):
                print(line, file=file)
            rows = (
                (utterance.name, utterance.speaker, pairs, count(pairs))
                for utterance, pairs in aligned(clean, metric)
            )
            for line in alignments(rows):
                print(line, file=file)
    # Last, because score.json says that the scoring of this directory is complete.
    with whole_file(hyp / "score.json") as part:
        text = json.dumps(score, indent=1, ensure_ascii=False)
        part.write_text(text + "\n", encoding="utf-8")


def _table(
    scored: Sequence[tuple[Path, Sequence[Utterance], dict[str, Any]]],
    baseline: dict[str, Any] | None,
) -> list[str]:
    lines = [
        f"{'metric':7}{'text':11}{'score':>7}{'Snt':>7}{'Wrd':>8}{'Corr':>7}"
        f"{'Sub':>7}{'Del':>7}{'Ins':>7}" + ("   - baseline" if baseline else "")
    ]
    for hyp, _, score in scored:
        lines.append(
            f"{hyp}: {score['loops']} with loops, {score['too_long']} too long"
        )
        for metric, readings in score["metrics"].items():
            for reading, values in readings.items():
                text = score["normalizer"] if reading == "normalized" else reading
                line = f"{metric:7}{text:11}{_headline(values):7.2f}"
                if metric in ERROR_RATES:
                    line += (
                        f"{values['sentences']:7}{values['reference']:8}"
                        f"{values['correct']:7}{values['substitutions']:7}"
                        f"{values['deletions']:7}{values['insertions']:7}"
                    )
                if baseline:
                    before = _headline(baseline["metrics"][metric][reading])
                    line = f"{line:61}{_headline(values) - before:+13.2f}"
                lines.append(line)
    return lines


def _headline(values: dict[str, Any]) -> float:
    value: float = values["rate"] if "rate" in values else values["score"]
    return value
