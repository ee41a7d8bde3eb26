"""What a recipe plans: jobs, what each makes, and what each needs.

``local/plan.sh`` writes a plan; each job is a number of words, and these words, all
ended by a NUL.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from espnet_merge.cluster.request import fill

CLIENT = "slurm.py"  # of SLURM; it has links of other names


@dataclass(frozen=True)
class Job:
    """One command of a plan, which may be an array.

    Attributes:
        kind: what is limited together on one machine, as ``decode``.
        what: what it does, for the screen: "merging by soup".
        why: why that is to be done.
        mark: file that will say what was made; None where a later job writes it.
        words: what that file will say.
        needs: logs of the jobs of this plan that must have succeeded.
        runner: ``run.pl`` or the like, with its options.
        array: as ``JOB=1:4``; empty where there is one task only.
        log: path of a task's log.
        command: what is run.
    """

    kind: str
    what: str
    why: str
    mark: Path | None
    words: str
    needs: tuple[str, ...]
    runner: tuple[str, ...]
    array: str
    log: str
    command: tuple[str, ...] = field(repr=False)

    @property
    def on_slurm(self) -> bool:
        """Whether this package's client of SLURM runs it."""
        return Path(self.runner[0]).resolve().name == CLIENT

    @property
    def arguments(self) -> list[str]:
        """The words after the program that runs it."""
        array = [self.array] if self.array else []
        return [*self.runner[1:], *array, self.log, *self.command]

    @property
    def logs(self) -> list[Path]:
        """The logs of its tasks."""
        return logs_of(self.array, self.log)


def logs_of(array: str, log: str) -> list[Path]:
    """Return the logs of the tasks of an array.

    >>> logs_of("JOB=1:2", "x.JOB.log")
    [PosixPath('x.1.log'), PosixPath('x.2.log')]
    """
    if not array:
        return [Path(log)]
    name, first, last = re.split("[=:]", array)
    return [Path(fill(log, name, n)) for n in range(int(first), int(last) + 1)]


def waves(jobs: Sequence[Job]) -> list[list[Job]]:
    """Return the jobs that need nothing of the plan, those that need these, and on."""
    found: dict[str, int] = {}
    for job in jobs:
        found[job.log] = max(
            (found[log] + 1 for log in job.needs if log in found), default=0
        )
    return [
        [job for job in jobs if found[job.log] == wave]
        for wave in sorted(set(found.values()))
    ]


def read_plan(content: bytes) -> list[Job]:
    """Return the jobs of a plan, in its order."""
    words = iter(content.decode("utf-8").split("\0")[:-1])
    return [_job([next(words) for _ in range(int(count))]) for count in words]


def _job(words: Sequence[str]) -> Job:
    kind, what, why, mark, says, needs, runner, array, log, *command = words
    return Job(
        kind,
        what,
        why,
        Path(mark) if mark else None,
        says,
        tuple(needs.split()),
        tuple(shlex.split(runner)),
        array,
        log,
        tuple(command),
    )
