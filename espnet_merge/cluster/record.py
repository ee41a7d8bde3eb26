"""What a client and its jobs know of each other: files beside the log.

``q/<log>/`` holds

========================  =======================================================
``record.json``           command, its digest, and every attempt: job, tasks, losses
``<task>.claim``          the attempt that may run; any other ends itself
``<task>.end.json``       the first attempt that ended by itself, with its status
``<task>.<attempt>.log``  what that attempt wrote; the log is a link to the newest
``<attempt>.sh``          what was submitted
``*.out``                 what SLURM itself says of a task
========================  =======================================================

Where one array holds the tasks of several commands, script and ``*.out`` lie in a
directory ``q/<token>`` of their own.

A claim decides who may write where two copies live: one behind a network partition, one
that could not be cancelled, one of another command. The end is a hard link, which only
the first can make.
"""

import contextlib
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from espnet_merge.disk.atomic import whole_file
from espnet_merge.disk.temporary import remove, temporary_name

STOPPED = "STOPPED"  # the state of a task whose client was ended
# Exit status of a command that has saved what it did, and is to be run again.
UNFINISHED = os.EX_TEMPFAIL


@dataclass
class Attempt:
    """One submission of some tasks.

    Attributes:
        number: counted from 1.
        token: what its claims say; no other attempt has it.
        tasks: that were submitted.
        words: sbatch and its options.
        submitted: seconds since 1970.
        job: its number; None until SLURM has said it.
        lost: of tasks that ended without a status of their own, the state.
        numbers: of tasks that were submitted in an array, their numbers there.
        place: directory of the script and of what SLURM itself says.
    """

    number: int
    token: str
    tasks: list[int]
    words: list[str]
    submitted: float
    job: str | None = None
    lost: dict[int, str] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)
    place: str = ""

    def id_of(self, task: int) -> str:
        """Return SLURM's name of a task: job, or job and number as ``12_3``."""
        number = self.numbers.get(task)
        return str(self.job) if number is None else f"{self.job}_{number}"

    def out_of(self, job: str) -> Path:
        """Return what SLURM itself says of a task, by its name of the task."""
        return Path(self.place) / f"{job}.out"


@dataclass(frozen=True)
class End:
    """How an attempt ended by itself: a line of the record of a task.

    Attributes:
        token: of the attempt.
        attempt: its number.
        job: as SLURM names the task.
        node: where it ran.
        status: exit status.
        started: seconds since 1970.
        ended: seconds since 1970.
        digest: of the command and its inputs.
    """

    token: str
    attempt: int
    job: str
    node: str
    status: int
    started: float
    ended: float
    digest: str


@dataclass
class Record:
    """The record of a command; ``save`` writes it.

    Attributes:
        directory: where it lies.
        digest: of the command and its inputs.
        command: of bash.
        log: path of a task's log.
        name: what stands for the number of a task.
        attempts: all submissions, the newest last.
        taken: whether a client has told the end of all tasks to who asked for them.
    """

    directory: Path
    digest: str
    command: str
    log: str
    name: str
    attempts: list[Attempt] = field(default_factory=list)
    taken: bool = False

    def save(self) -> None:
        """Write it, whole."""
        content = asdict(self) | {"directory": str(self.directory)}
        with whole_file(self.directory / "record.json") as part:
            part.write_text(json.dumps(content, indent=1), "utf-8")

    def begin(self, tasks: Iterable[int], words: Iterable[str]) -> Attempt:
        """Return a new attempt, which holds the claim on its tasks from now on."""
        numbers = list(tasks)
        token = secrets.token_hex(8)
        attempt = Attempt(
            len(self.attempts) + 1, token, numbers, list(words), time.time()
        )
        for task in numbers:
            write_claim(self.directory, task, token)
        self.attempts.append(attempt)
        self.save()
        return attempt

    def current(self, task: int) -> Attempt | None:
        """Return the newest attempt at a task, or None where it must be submitted."""
        for attempt in reversed(self.attempts):
            if task in attempt.tasks:
                known = attempt.job is not None and task not in attempt.lost
                return attempt if known else None
        return None

    def losses(self, task: int, states: Iterable[str]) -> int:
        """Return how often a task was lost in one of these states."""
        wanted = set(states)
        return sum(attempt.lost.get(task) in wanted for attempt in self.attempts)

    def end(self, task: int) -> End | None:
        """Return how a task ended, or None if no attempt has."""
        path = end_path(self.directory, task)
        with contextlib.suppress(FileNotFoundError):
            return End(**json.loads(path.read_text("utf-8")))
        return None

    def clear(self) -> None:
        """Remove what earlier commands have left, but the lock."""
        for path in self.directory.iterdir():
            if path.name != "lock":
                remove(path)


def place_of(log: str, name: str) -> Path:
    """Return where the record of a log lies.

    >>> place_of("exp/x/decode.JOB.log", "JOB")
    PosixPath('exp/x/q/decode.JOB.log')
    """
    path = Path(log)
    parent = path.parent
    while name and name in str(parent):
        parent = parent.parent
    return parent / "q" / "+".join(path.relative_to(parent).parts)


def read_record(directory: Path) -> Record | None:
    """Return the record that lies in a directory, or None where there is none."""
    try:
        content: dict[str, Any] = json.loads(
            (directory / "record.json").read_text("utf-8")
        )
    except FileNotFoundError:
        return None
    attempts = [Attempt(**one) for one in content.pop("attempts")]
    for attempt in attempts:
        attempt.lost = {int(task): state for task, state in attempt.lost.items()}
        attempt.numbers = {int(task): n for task, n in attempt.numbers.items()}
    return Record(**content | {"directory": directory, "attempts": attempts})


def end_path(directory: Path, task: int) -> Path:
    """Return the file of how a task ended."""
    return directory / f"{task}.end.json"


def attempt_log(directory: Path, task: int, number: int) -> Path:
    """Return the log of one attempt at a task."""
    return directory / f"{task}.{number}.log"


def read_claim(directory: Path, task: int) -> str:
    """Return who may run a task; empty where nobody may."""
    with contextlib.suppress(FileNotFoundError):
        return (directory / f"{task}.claim").read_text("utf-8")
    return ""


def write_claim(directory: Path, task: int, words: str) -> None:
    """Give a task to another attempt, or, by an empty one, to nobody."""
    with whole_file(directory / f"{task}.claim") as part:
        part.write_text(words, "utf-8")


def write_end(directory: Path, task: int, end: End) -> bool:
    """Write how a task ended; return False where another attempt has done so first."""
    path = end_path(directory, task)
    with _written(path, json.dumps(asdict(end))) as part:
        try:
            os.link(part, path)
        except FileExistsError:
            return False
    return True


def link(file: Path, name: Path) -> None:
    """Make ``name`` a second name of ``file``, in place of what it was."""
    name.parent.mkdir(parents=True, exist_ok=True)
    part = temporary_name(name)
    os.link(file, part)
    part.replace(name)
    part.unlink(missing_ok=True)  # a rename between names of one file does nothing


@contextlib.contextmanager
def _written(path: Path, text: str) -> Iterator[Path]:
    part = temporary_name(path)
    try:
        part.write_text(text, "utf-8")
        yield part
    finally:
        part.unlink(missing_ok=True)
