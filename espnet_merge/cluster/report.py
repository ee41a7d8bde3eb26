"""What the client says on the screen."""

import re
import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from espnet_merge.cluster.record import attempt_log

PROGRAM = "slurm.py"
LINES = 8  # of a failing task's log
SPREAD = 1 << 16  # bytes of its end that are read
NO_MEMORY = re.compile(r"oom|out of memory|memory limit", re.IGNORECASE)
# What SLURM's states mean, and what to do.
MEANING = {
    "CANCELLED": "was cancelled by somebody",
    "TIMEOUT": "reached its time limit: give more by --time, or --resume",
    "UNFINISHED": "has saved what it did, and has more to do: give --resume",
    "OUT_OF_MEMORY": "used more memory than it asked for: give more by --mem",
    "NODE_FAIL": "lost its node",
    "BOOT_FAIL": "had a node that did not start",
    "PREEMPTED": "was preempted by another job",
    "DEADLINE": "reached its deadline",
    "HELD": "was held by SLURM after a launch that failed",
    "COMPLETED": "is done, as SLURM says, and has written no status",
    "GONE": "is no longer known to SLURM",
    "DependencyNeverSatisfied": "depends on a job that has failed",
}


class Failure(NamedTuple):
    """Why a task failed, and where; ``by_itself``: it has an exit status of its own."""

    words: str
    job: str
    node: str
    attempt: int
    by_itself: bool = False


def say(words: str) -> None:
    """Write a line to the screen."""
    print(f"{PROGRAM}: {words}", file=sys.stderr, flush=True)


def tell(directory: Path, task: int, log: Path, out: Path, failure: Failure) -> None:
    """Show a failure, with the last lines of the task's log and of SLURM's own."""
    where = f"job {failure.job}, attempt {failure.attempt}"
    if failure.node:
        where += f", node {failure.node}"
    say(f"error: {log}: task {task} {failure.words} ({where})")
    lines = [
        *last_lines(attempt_log(directory, task, failure.attempt)),
        *last_lines(out),
    ]
    for line in lines:
        say(f"  | {line}")


def last_lines(path: Path) -> list[str]:
    """Return the last lines that a command wrote to a log; none if there is no log."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - SPREAD))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    written = (x for x in reversed(text.splitlines()) if x and not x.startswith("# "))
    return list(islice(written, LINES))[::-1]


def last_error(logs: Iterable[Path]) -> str:
    """Return the last line of some logs that mentions an error, or which log to see."""
    logs = list(logs)
    lines = [line for log in logs for line in last_lines(log)]
    errors = [line for line in lines if "error" in line.lower()]
    return errors[-1] if errors else f"see {logs[0]}"


def why(out: Path, state: str) -> str:
    """Return the state of a task, or that its memory was too little.

    Not every cluster says so itself; then the output of the job does.
    """
    said = "\n".join(last_lines(out))
    if state in ("FAILED", "CANCELLED") and NO_MEMORY.search(said):
        return "OUT_OF_MEMORY"
    return state


def lost_words(state: str, status: int | None) -> str:
    """Say how a task ended that has written no status."""
    if state in MEANING:
        return f"{MEANING[state]} [{state}]"
    return f"ended [{state}]" + (f" with status {status}" if status else "")
