"""How far a recipe is, by the files of its experiment directory: from any machine.

``local/plan.sh`` notes in ``.plan.tsv`` what a run is to make, a line each. A result is
there when its mark says the same words; else its logs tell.
"""

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from espnet_merge.cluster import scheduler
from espnet_merge.cluster.record import read_record
from espnet_merge.cluster.report import SPREAD, last_lines
from espnet_merge.errors import InputError, one_line_error

PROGRAM = "status.py"
PLAN = ".plan.tsv"
STATES = ("done", "running", "failed", "waiting")
SHOWN = 6  # results of a state that are shown with their logs
LINES = 3  # of the log of one that failed
ENDED = re.compile(
    r"^# (?:Ended \(code|Finished at .* with status) (\d+)", re.MULTILINE
)
TOOK = re.compile(r"^# Accounting: time=(\d+)", re.MULTILINE)


class Result(NamedTuple):
    """A line of the plan, and how far that is.

    Attributes:
        stage: number of the stage.
        what: what makes it: "merging by soup".
        why: why it had to be made; empty if it was there.
        state: one of ``STATES``.
        log: where it says so; None if nowhere.
        seconds: that its tasks took together, if they have said so.
    """

    stage: int
    what: str
    why: str
    state: str
    log: Path | None
    seconds: int

    @property
    def kind(self) -> str:
        """What results of about the same cost have in common."""
        return f"{self.stage} {self.what.split(' ', 1)[0]}"


@dataclass(frozen=True)
class Progress:
    """How far a run is; printed, one screen."""

    directory: Path
    results: Sequence[Result]
    queue: Sequence[str]

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        rest = remaining(self.results)
        counts = Counter(result.state for result in self.results)
        yield f"{self.directory}: {_counted(counts)}{f'; {rest}' if rest else ''}"
        for stage in sorted({result.stage for result in self.results}):
            own = Counter(r.state for r in self.results if r.stage == stage)
            yield f"  stage {stage}: {_counted(own)}"
        yield from self.queue
        for state in ("running", "failed"):
            found = [result for result in self.results if result.state == state]
            for result in found[:SHOWN]:
                assert result.log
                age = round(time.time() - result.log.stat().st_mtime)
                yield f"{state}: {result.what}: {result.log}, last written {age} s ago"
                lines = last_lines(result.log)[-(LINES if state == "failed" else 1) :]
                yield from (f"  | {line}" for line in lines)
            if len(found) > SHOWN:
                yield f"{state}: {len(found) - SHOWN} more"


def progress_of(directory: Path) -> list[Progress]:
    """Return how far the runs in an experiment directory are, one for each seed.

    Raises:
        InputError: no run has noted what it makes.
    """
    plans = sorted([directory / PLAN, *directory.glob(f"seed_*/{PLAN}")])
    found = [
        Progress(plan.parent, read_results(plan), list(queue_of(plan.parent)))
        for plan in plans
        if plan.is_file()
    ]
    if not found:
        raise InputError(
            f"{directory}: must hold {PLAN} of a run; it does not: is it --expdir of"
            " the run that you mean?"
        )
    return found


def read_results(plan: Path) -> list[Result]:
    """Return what a plan notes, and how far that is now."""
    since = plan.stat().st_mtime
    lines = plan.read_text("utf-8").splitlines()
    return [_result(line.split("\t", 6), since) for line in lines]


def _result(fields: Sequence[str], since: float) -> Result:
    stage, _, why, mark, patterns, what, words = fields
    logs = [
        path
        for pattern in patterns.split()
        for path in sorted(Path().glob(pattern))
        if path.stat().st_mtime >= since or _says(Path(mark), words)
    ]
    ends = {log: _end(log) for log in logs}
    failed = [log for log, (status, _) in ends.items() if status]
    runs = [log for log, (status, _) in ends.items() if status is None]
    state, log = "waiting", None
    if _says(Path(mark), words):
        state = "done"
    elif failed:
        state, log = "failed", failed[0]
    elif runs:
        state, log = "running", max(runs, key=lambda path: path.stat().st_mtime)
    seconds = sum(seconds for _, seconds in ends.values())
    return Result(int(stage), what, why, state, log, seconds)


def remaining(results: Sequence[Result]) -> str:
    """Say how long the rest takes, by what results of the same kind have taken.

    As many run at a time as do now. A kind of which none is done is not counted.
    """
    seconds, unknown = 0.0, 0
    for kind in {result.kind for result in results}:
        own = [result for result in results if result.kind == kind]
        open_ = sum(result.state in ("running", "waiting") for result in own)
        took = [r.seconds for r in own if r.state == "done" and r.seconds]
        if took:
            running = sum(result.state == "running" for result in own)
            seconds += open_ * mean(took) / max(running, 1)
        else:
            unknown += open_
    if not seconds:
        return ""
    text = (
        f"about {seconds / 60:.0f} min left" if seconds >= 90 else "about a minute left"
    )
    return text + (f", without {unknown} of kinds not seen yet" if unknown else "")


def queue_of(directory: Path) -> Iterator[str]:
    """Yield what squeue says of the jobs of a directory, where there is a squeue."""
    records = [read_record(path.parent) for path in directory.rglob("q/*/record.json")]
    jobs = {
        str(attempt.job)
        for record in records
        if record and not record.taken
        for attempt in record.attempts
        if attempt.job and len(attempt.lost) < len(attempt.tasks)
    }
    if not jobs:
        return
    try:
        states = scheduler.states(jobs)
    except scheduler.SilentError:
        return  # no squeue here
    for job in sorted(jobs):
        own = [state for (name, _), state in states.items() if name == job]
        counts = Counter(
            f"{one.name} ({one.reason})" if one.name == "PENDING" else one.name
            for one in own
            if one.alive
        )
        if counts:
            yield f"job {job}: {_counted(counts)}"


def main() -> None:
    """Print how far the runs of a directory are."""
    with one_line_error(PROGRAM):
        if len(sys.argv) != 2:
            raise InputError(f"usage: {PROGRAM} EXPDIR")
        print(*progress_of(Path(sys.argv[1])), sep="\n")


def _says(mark: Path, words: str) -> bool:
    try:
        with mark.open(encoding="utf-8") as file:
            return file.readline().rstrip("\n") == words
    except OSError:
        return False


def _end(log: Path) -> tuple[int | None, int]:
    """Return the exit status at the end of a log, if any, and the seconds it tells."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - SPREAD))
        text = file.read().decode("utf-8", "replace")
    status = list(islice(reversed(ENDED.findall(text)), 1))
    took = TOOK.findall(text)
    return (int(status[0]) if status else None, int(took[-1]) if took else 0)


def _counted(counts: Counter[str]) -> str:
    order = [*STATES, *sorted(counts.keys() - set(STATES))]
    return ", ".join(f"{counts[name]} {name}" for name in order if counts[name])
