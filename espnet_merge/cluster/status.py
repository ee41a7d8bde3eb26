"""How far the jobs of an experiment are, by what lies on disk: from any machine."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from espnet_merge.cluster.record import Record, read_claim, read_record
from espnet_merge.errors import InputError


def status_of(directory: Path) -> Iterator[str]:
    """Yield a line for each log of a directory: its tasks, its jobs, what was lost.

    Raises:
        InputError: there is no such directory.
    """
    if not directory.is_dir():
        raise InputError(f"{directory}: must be a directory with logs; there is none.")
    for path in sorted(directory.rglob("q/*/record.json")):
        if record := read_record(path.parent):
            yield _line(record)


def _line(record: Record) -> str:
    tasks = sorted({task for attempt in record.attempts for task in attempt.tasks})
    states = Counter(_state(record, task) for task in tasks)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    lost = Counter(s for attempt in record.attempts for s in attempt.lost.values())
    text = f"{record.log}: {counts or 'not submitted yet'}"
    if lost:
        told = ", ".join(f"{count} {state}" for state, count in sorted(lost.items()))
        text += f"; lost: {told}"
    return text


def _state(record: Record, task: int) -> str:
    end = record.end(task)
    if end:
        return "failed" if end.status else "done"
    attempt = record.current(task)
    if not attempt:
        return "to be submitted"
    # A job that runs has written where into its claim.
    runs = len(read_claim(record.directory, task).split()) > 1
    return f"{'running' if runs else 'waiting'} in job {attempt.job}"
