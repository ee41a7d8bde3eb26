"""Score hypotheses against a data directory.

Writes score.json, score_wer/result.txt and score_cer/result.txt beside the
hypotheses. What utt2task says is to be translated is scored by BLEU and chrF, too, with
sacreBLEU's signature. Rates are corpus totals in percent. The hypotheses must cover
exactly the utterances of the reference; an empty hypothesis counts as deletions.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from espnet_merge.disk.atomic import one_writer, whole_file
from espnet_merge.files import RESULT_TXT, SCORE_JSON
from espnet_merge.score.counts import Counts, Pair
from espnet_merge.score.current import inputs_digest, is_current, rules_digest
from espnet_merge.score.evaluate import (
    ERROR_RATES,
    METRICS,
    evaluate,
    headline,
    main_metric,
)
from espnet_merge.score.identification import check_named, confusion, describe_row
from espnet_merge.score.normalize import NORMALIZERS
from espnet_merge.score.result import Result
from espnet_merge.score.utterances import (
    ScoredUtterance,
    read_decoded,
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
        help="what to measure (default: wer cer; of translations bleu chrf, too)",
    )
    parser.add_argument(
        "--normalizer",
        choices=tuple(NORMALIZERS),
        default="basic",
        help="none; basic: no case, no punctuation; fold: and no diacritics; "
        "whisper: Whisper's rules for English, basic for others; simplified: basic, "
        "and Chinese in simplified characters (default: basic)",
    )
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="DIR",
        help="hypotheses of another system for the same data, to show the difference",
    )
    parser.add_argument(
        "--keep-current",
        action="store_true",
        help="leave directories whose score.json is of these very texts, this "
        "normalizer with the rules that it has now, and these metrics",
    )


def main(args: argparse.Namespace) -> None:
    """Score every directory, write the files, print the table."""
    stale = [hyp for hyp in args.hyp if not _is_kept(hyp, args)]
    if kept := len(args.hyp) - len(stale):
        print(f"{kept} of {len(args.hyp)} directories have this score already")
    if not stale:
        return
    baseline = args.baseline and _score(args.ref, args.baseline, args, {})
    with ExitStack() as files:
        # All are scored before the first is written: bad input leaves nothing behind.
        scored = []
        for hyp in stale:
            results = {
                metric: Result(
                    files.enter_context(TemporaryFile("w+", encoding="utf-8"))
                )
                for metric in ERROR_RATES
                if args.metric is None or metric in args.metric
            }
            scored.append((hyp, _score(args.ref, hyp, args, results), results))
        for hyp, score, results in scored:
            if baseline:
                score["baseline"] = {
                    "path": str(args.baseline),
                    "metrics": baseline["metrics"],
                }
            with one_writer(hyp):
                _write(hyp, score, results)
    for line in _table([(hyp, score) for hyp, score, _ in scored], baseline):
        print(line)


def _is_kept(hyp: Path, args: argparse.Namespace) -> bool:
    return (
        args.keep_current
        and not args.baseline
        and is_current(args.ref, hyp, args.normalizer, args.metric)
    )


def _score(
    ref: Path, hyp: Path, args: argparse.Namespace, results: Mapping[str, Result]
) -> dict[str, Any]:
    counted: defaultdict[str, list[tuple[ScoredUtterance, Counts]]] = defaultdict(list)

    def note(
        metric: str, utterance: ScoredUtterance, pairs: Sequence[Pair], counts: Counts
    ) -> None:
        results[metric].add(utterance.name, utterance.speaker, pairs, counts)
        if heard:
            counted[metric].append((utterance, counts))

    watch = note if results else None
    # Before anything is read: a file that changes meanwhile is not what was scored.
    inputs = inputs_digest(ref, hyp)
    # First, for it is long, and nothing of it stays but this.
    mode, heard, not_decoded = read_decoded(hyp)
    utterances = read_utterances(ref, hyp)
    if heard:
        check_named(hyp, utterances, heard)
    score = evaluate(utterances, args.normalizer, args.metric, watch)
    if errors := counted[main_metric(score["languages"])]:
        score["identification"] = confusion(heard, errors)
    return {
        "reference": str(ref),
        "mode": mode,
        "not_decoded": not_decoded,
        "rules_digest": rules_digest(args.normalizer),
        "inputs_digest": inputs,
        **score,
    }


def _write(hyp: Path, score: dict[str, Any], results: Mapping[str, Result]) -> None:
    for metric, result in results.items():
        title = f"{metric.upper()} of {hyp}, normalizer {score['normalizer']}"
        with (
            whole_file(hyp / f"score_{metric}" / RESULT_TXT) as part,
            part.open("w", encoding="utf-8") as file,
        ):
            result.write(title, file)
    # Last, because score.json says that the scoring of this directory is complete.
    with whole_file(hyp / SCORE_JSON) as part:
        text = json.dumps(score, indent=1, ensure_ascii=False)
        part.write_text(text + "\n", encoding="utf-8")


def _table(
    scored: Sequence[tuple[Path, dict[str, Any]]],
    baseline: dict[str, Any] | None,
) -> list[str]:
    lines = [
        f"{'metric':7}{'text':11}{'score':>7}{'Snt':>7}{'Wrd':>8}{'Corr':>7}"
        f"{'Sub':>7}{'Del':>7}{'Ins':>7}" + ("   - baseline" if baseline else "")
    ]
    for hyp, score in scored:
        lines.append(
            f"{hyp}: {score['loops']} with loops, {score['too_long']} too long"
        )
        if lost := score["not_decoded"]:
            why = ", ".join(f"{count} {defect}" for defect, count in lost.items())
            lines.append(f"not decoded, and counted as deleted: {why}")
        for spoken, row in score.get("identification", {}).items():
            lines.append(describe_row(spoken, row))
        for metric, readings in score["metrics"].items():
            for reading, values in readings.items():
                text = score["normalizer"] if reading == "normalized" else reading
                line = f"{metric:7}{text:11}{headline(values):7.2f}"
                if metric in ERROR_RATES:
                    line += (
                        f"{values['sentences']:7}{values['reference']:8}"
                        f"{values['correct']:7}{values['substitutions']:7}"
                        f"{values['deletions']:7}{values['insertions']:7}"
                    )
                if baseline:
                    before = headline(baseline["metrics"][metric][reading])
                    line = f"{line:61}{headline(values) - before:+13.2f}"
                if signature := values.get("signature"):
                    line += f"   {signature}"
                lines.append(line)
    return lines
