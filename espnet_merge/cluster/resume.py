"""What an older client has left: work to go on with, or jobs that must not go on."""

import contextlib
import hashlib
import json
from pathlib import Path

from espnet_merge.cluster import scheduler
from espnet_merge.cluster.record import (
    STOPPED,
    Attempt,
    Record,
    attempt_log,
    link,
    read_record,
    write_claim,
)
from espnet_merge.cluster.report import say
from espnet_merge.cluster.request import Request, fill
from espnet_merge.cluster.scheduler import SilentError


def record_for(request: Request, place: Path, inputs: str | None) -> Record:
    """Return the record to go on with: that of the same work, or a new one.

    Work is the same whose log, command, tasks and inputs are. Of it, tasks that have
    succeeded stay so until a client has told the end of all; those that run go on.

    Args:
        request: what is to be run.
        place: where its record lies.
        inputs: inputs and settings that the command does not say.
    """
    work = [request.log, request.command, list(request.tasks), inputs]
    digest = hashlib.sha256(json.dumps(work).encode()).hexdigest()
    old = read_record(place)
    if old and not old.taken:
        same = old.digest == digest
        _cancel_others(old, request, same)
        if same:
            _forget_failures(old, request)
            return old
    new = Record(place, digest, request.command, request.log, request.name)
    new.clear()
    return new


def _cancel_others(old: Record, request: Request, same: bool) -> None:
    """Cancel jobs of an older client that are not what is asked for now.

    They lose their claims first, so that they end even where SLURM gives no answer.
    """
    for attempt in old.attempts:
        live = [
            t for t in attempt.tasks if old.current(t) is attempt and not old.end(t)
        ]
        if not attempt.job or not live:
            continue
        if same and attempt.words == list(request.words):
            say(f"{request.log}: goes on with job {attempt.job}, {len(live)} task(s)")
            _name_logs(old, attempt, live)
            continue
        changed = "options of sbatch" if same else "command or inputs"
        say(f"{request.log}: other {changed}: job {attempt.job} is cancelled")
        for task in live:
            write_claim(old.directory, task, "")
            attempt.lost[task] = STOPPED
        with contextlib.suppress(SilentError):
            scheduler.cancel([attempt.id_of(task) for task in live])


def _name_logs(old: Record, attempt: Attempt, tasks: list[int]) -> None:
    """Give logs their names again, which the driver may have moved away."""
    for task in tasks:
        log = attempt_log(old.directory, task, attempt.number)
        if log.exists():
            link(log, Path(fill(old.log, old.name, task)))


def _forget_failures(old: Record, request: Request) -> None:
    """Leave what has succeeded; what has failed is tried again, and often enough."""
    for task in request.tasks:
        end = old.end(task)
        if end and end.status:
            (old.directory / f"{task}.end.json").unlink()
            for attempt in old.attempts:
                if task in attempt.tasks:
                    attempt.lost.setdefault(task, STOPPED)
    for attempt in old.attempts:
        attempt.lost = dict.fromkeys(attempt.lost, STOPPED)
    old.save()
