"""Run commands as jobs of SLURM, with the interface of Kaldi's ``slurm.pl``.

The client submits an array, and waits. A task that ends writes its status beside its
log (``task.py``), which is seen within a second; SLURM is asked every ten seconds for
those that end in no such way. What the cluster broke is submitted again. When the
client is ended, so are its jobs; when it is killed, the next one with the same command
goes on with them.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from espnet_merge.cluster import scheduler
from espnet_merge.cluster.record import (
    STOPPED,
    Attempt,
    Record,
    attempt_log,
    link,
    place_of,
    write_claim,
)
from espnet_merge.cluster.report import PROGRAM, Failure, lost_words, say, tell, why
from espnet_merge.cluster.request import Request, read_request
from espnet_merge.cluster.resume import record_for
from espnet_merge.cluster.scheduler import GONE, SilentError
from espnet_merge.cluster.status import status_of
from espnet_merge.cluster.submission import words_of, write_script
from espnet_merge.disk.lock import hold, hold_if_free
from espnet_merge.errors import InputError, one_line_error

LOOK = 0.5  # seconds between two looks at the disk
# Seconds that a status on disk may need to be seen from here, after SLURM has told the
# end: of a failure SLURM tells the status, too.
GRACE = {"COMPLETED": 60.0, "FAILED": 5.0, GONE: 5.0}
SOON = 2.0  # seconds between two questions meanwhile
CANCELLING = 60.0  # seconds in which the jobs of an ended client must be cancelled
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# The cluster broke these, not the command.
BROKEN = ("NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "REVOKED", "HELD", GONE)
SHORT = ("TIMEOUT", "UNFINISHED")  # these need more time
# Why a job waits that will never start by itself: what is made of it.
STUCK = {
    "launch_failed_requeued_held": "HELD",
    "launch failed requeued held": "HELD",
    "JobHoldMaxRequeue": "HELD",
    "DependencyNeverSatisfied": "DependencyNeverSatisfied",
}
# Why a job waits whose turn will come.
USUAL = ("", "None", "Priority", "Resources", "JobArrayTaskLimit", "BeginTime")


class Ended(BaseException):
    """A signal asks the client to end."""


class Client:
    """Brings the tasks of a request to their end."""

    def __init__(self, request: Request, record: Record) -> None:
        self.request, self.record = request, record
        self.settings = request.settings
        self.open = set(request.tasks)
        self.failures: dict[int, Failure] = {}
        self.final: dict[int, float] = {}  # task -> since when SLURM says it has ended
        self.silent_since: float | None = None
        self.told: set[str] = set()
        self.parent = os.getppid()

    def run(self) -> int:
        """Return 0 when all tasks have succeeded, 1 when one has not."""
        asked = 0.0
        while True:
            self.take_ends()
            if not self.open:
                break
            now = time.monotonic()
            if now - asked >= (SOON if self.final else self.settings.poll):
                asked = now
                self.look()
                self.submit()
            if os.getppid() != self.parent:
                raise SystemExit(1)  # nobody waits; who comes back finds the jobs
            time.sleep(LOOK)
        self.record.taken = not self.failures
        self.record.save()
        if self.failures:
            total = len(self.request.tasks)
            say(f"error: {len(self.failures)} / {total} failed: {self.request.log}")
        return 1 if self.failures else 0

    def take_ends(self) -> None:
        """Take note of all tasks that have written how they ended."""
        for task in sorted(self.open):
            end = self.record.end(task)
            if not end:
                continue
            log = attempt_log(self.record.directory, task, end.attempt)
            current = self.record.current(task)
            if current and current.token != end.token:
                self.cancel({self.task_id(current, task)})
            if log.exists():
                link(log, self.request.log_of(task))
            if end.status:
                words = f"exited with status {end.status}"
                self.fail(task, Failure(words, end.job, end.node, end.attempt))
            self.open.discard(task)

    def look(self) -> None:
        """Ask SLURM for the tasks that have not ended by themselves."""
        current = {task: self.record.current(task) for task in sorted(self.open)}
        live = {task: attempt for task, attempt in current.items() if attempt}
        if not live:
            return
        try:
            states = scheduler.states({str(one.job) for one in live.values()})
        except SilentError as error:
            self.is_silent(error)
            return
        self.silent_since = None
        self.take_ends()
        changed = False
        for task in self.open & live.keys():
            attempt = live[task]
            state = states.get((str(attempt.job), task), scheduler.State(GONE))
            name = STUCK.get(state.reason) if state.alive else state.name
            if name and self.is_over(task, attempt, name):
                changed = True
            elif state.name == "PENDING" and not name and state.reason not in USUAL:
                self.tell_once(f"job {attempt.job} waits: {state.reason}", state.reason)
        if changed:
            self.record.save()

    def is_over(self, task: int, attempt: Attempt, state: str) -> bool:
        """Note that a task has ended without a status of its own, and what follows.

        A status that SLURM tells is believed after a while: the file that says it may
        not be seen yet.
        """
        since = self.final.setdefault(task, time.monotonic())
        if time.monotonic() - since < GRACE.get(state, 0):
            return False
        task_id = self.task_id(attempt, task)
        stuck = state in STUCK.values()
        end = scheduler.Ending(state) if stuck else scheduler.ending(task_id, state)
        if stuck:
            self.cancel({task_id})
        state = why(self.record.directory, task_id, end.state)
        attempt.lost[task] = state
        del self.final[task]
        words = lost_words(state, end.status)
        if self.again(task, state):
            log = self.request.log_of(task)
            say(f"{log}: {words} (job {task_id}); it is submitted again")
        else:
            self.fail(task, Failure(words, task_id, end.node, attempt.number))
            self.open.discard(task)
        return True

    def again(self, task: int, state: str) -> bool:
        """Return whether a lost task may be submitted again."""
        if state in SHORT:
            return self.record.losses(task, SHORT) <= self.settings.resume
        if state in BROKEN:
            return self.record.losses(task, BROKEN) <= self.settings.retries
        return False

    def submit(self) -> None:
        """Submit all tasks that have no job."""
        tasks = sorted(t for t in self.open if not self.record.current(t))
        if not tasks:
            return
        with _undisturbed():
            attempt = self.record.begin(tasks, self.request.words)
            script = write_script(self.record, attempt, self.request)
            words = words_of(self.record, attempt, self.request)
            try:
                attempt.job = scheduler.submit(words, script)
            except SilentError as error:
                self.record.attempts.pop()
                self.is_silent(error)
            else:
                self.silent_since = None
            self.record.save()

    def is_silent(self, error: SilentError) -> None:
        """Wait for SLURM to answer, but not for ever.

        Raises:
            InputError: it has not answered for too long.
        """
        now = time.monotonic()
        if self.silent_since is None:
            self.silent_since = now
            say(f"{self.request.log}: SLURM does not answer, waiting: {error}")
        if now - self.silent_since > self.settings.patience:
            raise InputError(
                f"SLURM has not answered for {self.settings.patience} s: {error}; run"
                " again when it does, which goes on with the jobs that still run."
            )

    def stop(self) -> None:
        """Cancel all jobs; those that SLURM does not reach end by their lost claims."""
        live = {t: a for t in self.open if (a := self.record.current(t))}
        for task in self.open:
            write_claim(self.record.directory, task, "")
        ids = {self.task_id(attempt, task) for task, attempt in live.items()}
        whole = {str(a.job) for a in live.values() if set(a.tasks) <= live.keys()}
        ids = {one for one in ids if one.split("_")[0] not in whole} | whole
        until = time.monotonic() + CANCELLING
        while not self.cancel(ids) and time.monotonic() < until:
            time.sleep(1)
        for task, attempt in live.items():
            attempt.lost[task] = STOPPED
        self.record.save()
        say(f"{self.request.log}: ended; cancelled {', '.join(sorted(ids)) or 'none'}")

    def cancel(self, ids: set[str]) -> bool:
        """Cancel tasks; return whether SLURM has heard it."""
        try:
            scheduler.cancel(ids)
        except SilentError as error:
            self.tell_once(f"cannot cancel {', '.join(sorted(ids))}: {error}", "cancel")
            return False
        return True

    def task_id(self, attempt: Attempt, task: int) -> str:
        """Return SLURM's name of a task."""
        return f"{attempt.job}_{task}" if self.request.name else str(attempt.job)

    def fail(self, task: int, failure: Failure) -> None:
        """Note that a task has failed, and show it."""
        self.failures[task] = failure
        tell(self.record.directory, task, self.request.log_of(task), failure)

    def tell_once(self, words: str, key: str) -> None:
        """Say something of all tasks, once."""
        if key not in self.told:
            self.told.add(key)
            say(f"{self.request.log}: {words}")


def run(request: Request) -> int:
    """Run a request, alone at its log; return the exit status."""
    place = place_of(request.log, request.name)
    place.mkdir(parents=True, exist_ok=True)
    lock = hold_if_free(place / "lock")
    if not lock:
        say(f"{request.log}: another client is at work on it, waiting")
        lock = hold(place / "lock")
    client = None
    with lock:
        try:
            _end_by_signals()
            client = Client(request, record_for(request, place))
            return client.run()
        except Ended as ended:
            if client:
                client.stop()
            return 128 + int(ended.args[0])


def main() -> None:
    """Run what the command line asks for, or say how far it is."""
    with one_line_error(PROGRAM):
        match sys.argv[1:]:
            case ["--status", directory]:
                print(*status_of(Path(directory)), sep="\n")
            case words:
                sys.exit(run(read_request(words)))


def _end_by_signals() -> None:
    """Raise ``Ended`` at a signal, at the first one only."""

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        for one in ENDING:
            signal.signal(one, signal.SIG_IGN)
        raise Ended(number)

    for number in ENDING:
        # What nohup has started goes on; bash's background jobs, which are told to
        # ignore Ctrl-C, must not.
        ignored = signal.getsignal(number) is signal.SIG_IGN
        if number is not signal.SIGHUP or not ignored:
            signal.signal(number, end)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let signals wait: between a submission and its record nothing may come."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
