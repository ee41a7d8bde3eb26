"""The tasks of one command: which have ended, which were lost, and what follows.

A task that ends writes its status beside its log (``task.py``), which is seen within a
second; SLURM is asked every ten seconds for those that end in no such way. What the
cluster broke is submitted again, by the pool that asks SLURM (``pool.py``).
"""

import time
from collections.abc import Mapping

from espnet_merge.cluster import scheduler
from espnet_merge.cluster.record import (
    STOPPED,
    Attempt,
    Record,
    attempt_log,
    link,
    write_claim,
)
from espnet_merge.cluster.report import Failure, lost_words, say, tell, why
from espnet_merge.cluster.request import Request
from espnet_merge.cluster.scheduler import GONE, SilentError

# Seconds that a status on disk may need to be seen from here, after SLURM has told the
# end: of a failure SLURM tells the status, too.
GRACE = {"COMPLETED": 60.0, "FAILED": 5.0, GONE: 5.0}
# The cluster broke these, not the command: also a task that is done for SLURM and never
# began, as where a node's daemon dies while it starts the task.
BROKEN = ("NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "REVOKED", "HELD", "COMPLETED", GONE)
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


class Client:
    """Brings the tasks of a request to their end."""

    def __init__(self, request: Request, record: Record) -> None:
        self.request, self.record = request, record
        self.settings = request.settings
        self.open = set(request.tasks)
        self.failures: dict[int, Failure] = {}
        self.final: dict[int, float] = {}  # task -> since when SLURM says it has ended
        self.told: set[str] = set()

    @property
    def live(self) -> dict[int, Attempt]:
        """The open tasks that have a job, and the attempts of these."""
        found = {task: self.record.current(task) for task in sorted(self.open)}
        return {task: attempt for task, attempt in found.items() if attempt}

    @property
    def waiting(self) -> list[int]:
        """The tasks that must be submitted."""
        return sorted(task for task in self.open if not self.record.current(task))

    @property
    def lost(self) -> str:
        """Why a task has failed that did not end by itself; empty if there is none."""
        words = (f.words for f in self.failures.values() if not f.by_itself)
        return next(words, "")

    def finish(self) -> int:
        """Note that who asked knows the end; return 0 when all tasks have succeeded."""
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
                self.cancel(current, task)
            if log.exists():
                link(log, self.request.log_of(task))
            if end.status:
                words = f"exited with status {end.status}"
                failure = Failure(words, end.job, end.node, end.attempt, by_itself=True)
                self.fail(task, failure)
            self.open.discard(task)

    def learn(self, states: Mapping[tuple[str, int], scheduler.State]) -> None:
        """Take note of what SLURM says of the tasks."""
        changed = False
        for task, attempt in self.live.items():
            key = (str(attempt.job), attempt.numbers.get(task, 1))
            state = states.get(key, scheduler.State(GONE))
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
        task_id = attempt.id_of(task)
        stuck = state in STUCK.values()
        end = scheduler.Ending(state) if stuck else scheduler.ending(task_id, state)
        if stuck:
            self.cancel(attempt, task)
        state = why(attempt.out_of(task_id), end.state)
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

    def let_go(self) -> set[str]:
        """Give up the open tasks; return SLURM's names of those that must be cancelled.

        A job of this command alone, all of whose tasks are open, has one name.
        """
        live = self.live
        for task in self.open:
            write_claim(self.record.directory, task, "")
        for task, attempt in live.items():
            attempt.lost[task] = STOPPED
        own = str(self.record.directory)
        return {
            str(attempt.job)
            if attempt.place == own and set(attempt.tasks) <= live.keys()
            else attempt.id_of(task)
            for task, attempt in live.items()
        }

    def cancel(self, attempt: Attempt, task: int) -> None:
        """Cancel one task; where SLURM does not hear it, its lost claim ends it."""
        task_id = attempt.id_of(task)
        try:
            scheduler.cancel([task_id])
        except SilentError as error:
            self.tell_once(f"cannot cancel {task_id}: {error}", "cancel")

    def fail(self, task: int, failure: Failure) -> None:
        """Note that a task has failed, and show it."""
        self.failures[task] = failure
        out = self.record.attempts[failure.attempt - 1].out_of(failure.job)
        tell(self.record.directory, task, self.request.log_of(task), out, failure)

    def tell_once(self, words: str, key: str) -> None:
        """Say something of all tasks, once."""
        if key not in self.told:
            self.told.add(key)
            say(f"{self.request.log}: {words}")
