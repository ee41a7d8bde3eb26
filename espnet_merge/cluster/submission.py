"""What is submitted: the options of sbatch, and the script that SLURM runs."""

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from espnet_merge.cluster.record import Attempt, Record
from espnet_merge.cluster.request import Request


class Part(NamedTuple):
    """The tasks of one command in a submission."""

    record: Record
    attempt: Attempt
    request: Request


def settle(parts: Sequence[Part]) -> Path:
    """Number the tasks of a submission, and return where its files lie.

    A command that is submitted alone has its own numbers and its own place.
    """
    first = parts[0]
    place = first.record.directory
    if len(parts) == 1:
        if first.request.name:
            first.attempt.numbers = {task: task for task in first.attempt.tasks}
    else:
        common = os.path.commonpath([part.record.directory for part in parts])
        place = Path(common) / "q" / first.attempt.token
        place.mkdir(parents=True)
        numbers = iter(range(1, 1 + sum(len(part.attempt.tasks) for part in parts)))
        for part in parts:
            part.attempt.numbers = {task: next(numbers) for task in part.attempt.tasks}
    for part in parts:
        part.attempt.place = str(place)
    return place


def words_of(parts: Sequence[Part], place: Path) -> list[str]:
    """Return sbatch and its options for a submission."""
    numbers = sorted(n for part in parts for n in part.attempt.numbers.values())
    out = "%A_%a.out" if numbers else "%j.out"
    words = _words(parts[0].request, numbers)
    return [*words, "--open-mode=append", f"--output={place.absolute()}/{out}"]


def announced(requests: Sequence[Request]) -> str:
    """Return the line of sbatch for requests that would be submitted together."""
    first = requests[0]
    total = sum(len(request.tasks) for request in requests)
    numbers = range(1, total + 1) if first.name or len(requests) > 1 else []
    return shlex.join(_words(first, numbers))


def _words(request: Request, numbers: Sequence[int]) -> list[str]:
    words = list(request.words)
    if not any(word.startswith(("-J", "--job-name")) for word in words):
        words += ["--job-name", Path(request.log).stem.removesuffix(f".{request.name}")]
    if numbers:
        most = request.settings.max_jobs_run
        array = ",".join(_ranges(numbers))
        words += [f"--array={array}%{most}" if most else f"--array={array}"]
    return words


def write_script(parts: Sequence[Part], place: Path) -> Path:
    """Write what SLURM runs for each task of a submission."""
    script = place / f"{parts[0].attempt.number}.sh"
    root = shlex.quote(str(Path(__file__).parents[2]))
    script.write_text(
        "#!/usr/bin/env bash\n"
        f"cd {shlex.quote(str(Path.cwd()))} || exit\n"
        "if [[ -f path.sh ]]; then . ./path.sh; fi\n"
        f"export PYTHONPATH={root}${{PYTHONPATH:+:$PYTHONPATH}}\n"
        "case ${SLURM_ARRAY_TASK_ID:-1} in\n" + "".join(_cases(parts)) + "esac\n"
        f'exec {shlex.quote(sys.executable)} -m espnet_merge.cluster.task "$@"\n',
        "utf-8",
    )
    return script


def _cases(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        place = shlex.quote(str(part.record.directory.absolute()))
        for task in part.attempt.tasks:
            number = part.attempt.numbers.get(task, 1)
            yield f"  {number}) set -- {place} {part.attempt.token} {task} ;;\n"


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
