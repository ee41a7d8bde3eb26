"""Score directories of hypotheses, and write what was found beside them."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from espnet_merge.disk.atomic import one_writer, whole_file
from espnet_merge.files import RESULT_TXT, SCORE_JSON
from espnet_merge.html import html_table
from espnet_merge.options import AnyPath
from espnet_merge.score import tables
from espnet_merge.score.counts import Counts, Pair
from espnet_merge.score.current import inputs_digest, is_current, rules_digest
from espnet_merge.score.evaluate import ERROR_RATES, evaluate, main_metric
from espnet_merge.score.identification import check_named, confusion
from espnet_merge.score.result import Result
from espnet_merge.score.tables import Score
from espnet_merge.score.utterances import (
    ScoredUtterance,
    read_decoded,
    read_utterances,
)


@dataclass(frozen=True)
class Scores:
    """What was scored; as text, a table.

    Attributes:
        scored: directory -> what its ``score.json`` holds.
        kept: directories that had this score already.
        baseline: the score of another system on the same set, if it was asked for.
    """

    scored: Mapping[Path, Score]
    kept: Sequence[Path] = ()
    baseline: Score | None = None

    def __getitem__(self, directory: AnyPath) -> Score:
        """Return what was found of a directory, kept or new."""
        path = Path(directory)
        if path not in self.scored and path in self.kept:
            score: Score = json.loads((path / SCORE_JSON).read_bytes())
            return score
        return self.scored[path]

    def __repr__(self) -> str:
        lines = []
        if self.kept:
            total = len(self.kept) + len(self.scored)
            lines.append(
                f"{len(self.kept)} of {total} directories have this score already"
            )
        lines += tables.scores(self._everything(), self.baseline)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return "\n".join(html_table(tables.cells(self._everything(), self.baseline)))

    def _everything(self) -> dict[Path, Score]:
        return {path: self[path] for path in (*self.kept, *self.scored)}


def score_directories(
    reference: Path,
    hypotheses: Sequence[Path],
    normalizer: str = "basic",
    metrics: Sequence[str] | None = None,
    *,
    baseline: Path | None = None,
    keep_current: bool = False,
) -> Scores:
    """Write ``score.json``, ``score_wer/result.txt`` and ``score_cer/result.txt``.

    Args:
        reference: Kaldi data directory.
        hypotheses: directories with ``text``, and ``text.json`` if ``decode`` wrote it.
        normalizer: of the text.
        metrics: what to measure; None for the usual of the set's tasks.
        baseline: hypotheses of another system for the same data.
        keep_current: leave what would be written again, unless there is a baseline.

    Raises:
        InputError: a file is missing or broken, or ids differ; nothing is written then.
    """
    kept = [
        path
        for path in hypotheses
        if keep_current
        and not baseline
        and is_current(reference, path, normalizer, metrics)
    ]
    stale = [path for path in hypotheses if path not in kept]
    if not stale:
        return Scores({}, kept)
    before = baseline and _score(reference, baseline, normalizer, metrics, {})
    scored: dict[Path, dict[str, Any]] = {}
    with ExitStack() as files:
        # All are scored before the first is written: bad input leaves nothing behind.
        results = {
            path: {
                metric: Result(
                    files.enter_context(TemporaryFile("w+", encoding="utf-8"))
                )
                for metric in ERROR_RATES
                if metrics is None or metric in metrics
            }
            for path in stale
        }
        for path in stale:
            scored[path] = _score(reference, path, normalizer, metrics, results[path])
        for path, score in scored.items():
            if before:
                score["baseline"] = {
                    "path": str(baseline),
                    "metrics": before["metrics"],
                }
            with one_writer(path):
                _write(path, score, results[path])
    return Scores(scored, kept, before or None)


def _score(
    reference: Path,
    hypothesis: Path,
    normalizer: str,
    metrics: Sequence[str] | None,
    results: Mapping[str, Result],
) -> dict[str, Any]:
    counted: defaultdict[str, list[tuple[ScoredUtterance, Counts]]] = defaultdict(list)

    def note(
        metric: str, utterance: ScoredUtterance, pairs: Sequence[Pair], counts: Counts
    ) -> None:
        results[metric].add(utterance.name, utterance.speaker, pairs, counts)
        if heard or noted or routes:
            counted[metric].append((utterance, counts))

    watch = note if results else None
    # Before anything is read: a file that changes meanwhile is not what was scored.
    inputs = inputs_digest(reference, hypothesis)
    # First, for it is long, and nothing of it stays but this.
    mode, heard, noted, not_decoded, routes = read_decoded(hypothesis)
    utterances = read_utterances(reference, hypothesis)
    if heard:
        check_named(hypothesis, utterances, heard)
    score = evaluate(utterances, normalizer, metrics, watch)
    errors = counted[main_metric(score["languages"])]
    # An utterance without usable audio has neither language nor adapter.
    silent = {u.name: "none" for u in utterances}
    if errors and (heard or noted):
        score["identification"] = confusion({**silent, **noted, **heard}, errors)
    if errors and routes:
        score["routes"] = confusion({**silent, **routes}, errors)
    return {
        "reference": str(reference),
        "mode": mode,
        "not_decoded": not_decoded,
        "rules_digest": rules_digest(normalizer),
        "inputs_digest": inputs,
        **score,
    }


def _write(
    hypothesis: Path, score: Mapping[str, Any], results: Mapping[str, Result]
) -> None:
    for metric, result in results.items():
        title = f"{metric.upper()} of {hypothesis}, normalizer {score['normalizer']}"
        with (
            whole_file(hypothesis / f"score_{metric}" / RESULT_TXT) as part,
            part.open("w", encoding="utf-8") as file,
        ):
            result.write(title, file)
    # Last, because score.json says that the scoring of this directory is complete.
    with whole_file(hypothesis / SCORE_JSON) as part:
        text = json.dumps(score, indent=1, ensure_ascii=False)
        part.write_text(text + "\n", encoding="utf-8")
