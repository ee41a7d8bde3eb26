"""What is submitted: the options of sbatch, and the script of an attempt."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from espnet_merge.cluster.record import Attempt, Record
from espnet_merge.cluster.request import Request


def words_of(record: Record, attempt: Attempt, request: Request) -> list[str]:
    """Return sbatch and its options for an attempt."""
    words = list(request.words)
    place = record.directory.absolute()
    if not any(word.startswith(("-J", "--job-name")) for word in words):
        words += ["--job-name", Path(request.log).stem.removesuffix(f".{request.name}")]
    if request.name:
        most = request.settings.max_jobs_run
        array = ",".join(_ranges(attempt.tasks))
        words += [f"--array={array}%{most}" if most else f"--array={array}"]
    out = "%A_%a.out" if request.name else "%j.out"
    return [*words, "--open-mode=append", f"--output={place}/{out}"]


def write_script(record: Record, attempt: Attempt, request: Request) -> Path:
    """Write what SLURM runs for each task of an attempt."""
    place = record.directory.absolute()
    script = place / f"{attempt.number}.sh"
    runner = [sys.executable, "-m", "espnet_merge.cluster.task", str(place)]
    task = '"$SLURM_ARRAY_TASK_ID"' if request.name else "1"
    root = shlex.quote(str(Path(__file__).parents[2]))
    script.write_text(
        "#!/usr/bin/env bash\n"
        f"cd {shlex.quote(str(Path.cwd()))} || exit\n"
        "if [[ -f path.sh ]]; then . ./path.sh; fi\n"
        f"export PYTHONPATH={root}${{PYTHONPATH:+:$PYTHONPATH}}\n"
        f"exec {shlex.join(runner)} {attempt.token} {task}\n",
        "utf-8",
    )
    return script


def _ranges(numbers: Sequence[int]) -> Iterator[str]:
    """Write sorted numbers as SLURM does.

    >>> list(_ranges([1, 2, 3, 7, 9, 10]))
    ['1-3', '7', '9-10']
    """
    first = last = numbers[0]
    for number in numbers[1:]:
        if number > last + 1:
            yield _range(first, last)
            first = number
        last = number
    yield _range(first, last)


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
