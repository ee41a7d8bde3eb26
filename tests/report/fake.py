"""An exp directory with made-up scores, as ``espnet-merge score`` would leave it."""

import json
import shlex
from pathlib import Path

from espnet_merge.report.plan import Plan
from espnet_merge.report.results import Results, read_results
from espnet_merge.score.counts import Counts
from espnet_merge.score.current import rules_digest
from espnet_merge.score.result import alignments

MODE = {"pad_to": 30, "beam": 1, "language": None, "task": None}

RATES = {
    "zero_shot": {"es": 40.0, "it": 20.0, "en": 10.0},
    "full_es": {"es": 10.0, "it": 25.0, "en": 12.0},
    "full_it": {"es": 45.0, "it": 10.0, "en": 11.0},
    "joint": {"es": 12.0, "it": 14.0, "en": 10.5},
    "soup": {"es": 25.0, "it": 15.0, "en": 10.0},
    "tsv_m": {"es": 16.0, "it": 8.0, "en": 9.0},
}
PLAN = {
    "base": "zero_shot",
    "experts": [("es", "full_es"), ("it", "full_it")],
    "joint": ["joint"],
    "merges": ["soup", "tsv_m"],
    "sets": ["es_test", "it_test", "en_test"],
    "groups": {"es": ["es_test"], "it": ["it_test"]},
}

# The same for the command; the modes follow.
OPTIONS = shlex.split(
    "--base zero_shot --experts es=full_es it=full_it --joint joint "
    "--merges soup tsv_m --sets es_test it_test en_test "
    "--group es=es_test it=it_test --inference"
)


def write_score(path: Path, errors: int, words: int = 1000, **changes) -> None:
    """Write a score.json whose normalised WER is ``errors / words``."""

    def counts(wrong: int, total: int) -> dict[str, float]:
        return {
            "rate": 100 * wrong / total,
            "reference": total,
            "correct": total - wrong + wrong // 2,
            "substitutions": wrong - wrong // 2,
            "deletions": 0,
            "insertions": wrong // 2,
            "sentences": 40,
            "wrong_sentences": min(wrong, 40),
        }

    language = path.name.partition("_")[0]
    score = {
        "reference": f"data/{path.name}",
        "mode": MODE,
        "normalizer": "basic",
        "rules": {language: "basic"},
        "languages": {language: 40},
        "utterances": 40,
        "main": "wer",
        "metrics": {
            "wer": {
                "raw": counts(errors + 100, words),
                "normalized": counts(errors, words),
            },
            "cer": {
                "raw": counts(errors + 50, 5 * words),
                "normalized": counts(errors, 5 * words),
            },
        },
        "empty_references": 0,
        "empty_hypotheses": 0,
        "loops": errors // 300,
        "too_long": 0,
    }
    score |= changes
    digest = {"rules_digest": rules_digest(score["normalizer"])}
    path.mkdir(parents=True)
    (path / "score.json").write_text(json.dumps({**digest, **score}))
    for metric, total in (("wer", words), ("cer", 5 * words)):
        write_result(path / f"score_{metric}", errors, total)


def write_result(path: Path, errors: int, total: int) -> None:
    """Write ``result.txt`` with the errors spread over 40 utterances of one length."""

    rows = []
    for index in range(40):
        wrong = errors // 40 + (index < errors % 40)
        counts = Counts(total // 40 - wrong, wrong, 0, 0, 1, int(wrong > 0))
        rows.append((f"u{index:02}", "s", [], counts))
    path.mkdir()
    (path / "result.txt").write_text("\n".join(alignments(rows)))


def write_exp(
    exp: Path, rates: dict[str, dict[str, float]], name: str, mode: dict = MODE
) -> None:
    """Write the scores of ``rates[system][language]``, in percent."""
    for system, row in rates.items():
        for language, rate in row.items():
            path = exp / system / f"inference_{name}" / f"{language}_test"
            write_score(path, round(10 * rate), mode=mode)


def read(exp: Path, **changes) -> Results:
    """Read the scores of ``PLAN`` in the mode ``padded``."""
    return read_results(exp, Plan(**{**PLAN, **changes}), "padded")
