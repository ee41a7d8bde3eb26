"""Scores on benchmarks of the hub, as ``.eval_results`` holds them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

from espnet_merge.card.scores import SetScore, reading
from espnet_merge.disk.atomic import whole_file
from espnet_merge.errors import InputError

FOLDER = ".eval_results"  # the hub's name


def write_benchmarks(
    model: Path, scores: Sequence[SetScore], benchmarks: Mapping[str, str]
) -> list[Path]:
    """Write a file for each set that is a benchmark of the hub; return their paths.

    Args:
        model: directory of the model.
        scores: of its sets.
        benchmarks: name of a set -> OWNER/DATASET/TASK.

    Raises:
        InputError: a set has no score, or a benchmark has another form.
    """
    by_name = {score.name: score for score in scores}
    entries = {}
    for name, benchmark in benchmarks.items():
        dataset, _, task = benchmark.rpartition("/")
        if not task or dataset.count("/") != 1:
            raise InputError(
                "--benchmarks must be SET=OWNER/DATASET/TASK, the task as eval.yaml of "
                f"the dataset names it; got {name}={benchmark}."
            )
        if name not in by_name:
            raise InputError(
                f"--benchmarks must name sets with a score; {name} has none, there are "
                f"{', '.join(by_name) or 'none: give --scores'}."
            )
        score = by_name[name]
        entries[name] = EvalResultEntry(
            dataset_id=dataset,
            task_id=task,
            value=round(score.value, 2),
            notes=f"{score.metric.upper()}, {reading(score)}, {score.mode}",
        )
    paths = []
    for name, entry in entries.items():
        with whole_file(model / FOLDER / f"{name}.yaml") as part:
            content = eval_result_entries_to_yaml([entry])
            part.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
        paths.append(model / FOLDER / f"{name}.yaml")
    return paths
