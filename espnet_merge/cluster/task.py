"""Run one task inside its job: ``python -m espnet_merge.cluster.task DIR TOKEN TASK``.

Signals of SLURM's are handed on to the command: TERM before a job ends, and what
``--signal`` asks for, as USR1 a minute before the time limit. A command that they, or
any other signal, have ended has no status of its own; the client asks SLURM for the
reason. So has one that exits with ``UNFINISHED``.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TextIO

from espnet_merge.cluster.record import (
    UNFINISHED,
    Attempt,
    End,
    Record,
    attempt_log,
    end_path,
    link,
    read_claim,
    read_record,
    write_claim,
    write_end,
)
from espnet_merge.cluster.request import fill

HANDED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)
LOOK = 1.0  # seconds between two looks at the claim
KILL = 5.0  # seconds for a command that has lost its claim to end itself
LATE = LOOK + KILL + 1.0  # seconds after which none that sees the disk still runs
MAY_LIVE = {"NODE_FAIL", "GONE"}  # states of attempts that may run, unseen by SLURM
NOT_MINE = os.EX_TEMPFAIL  # exit status of an attempt that may not run
# A command that does not know of USR1 goes on. What TERM ends may take its time.
UNLESS_HANDLED = "trap '' USR1 USR2; trap : TERM"
BY_SIGNAL = 128  # from which on a status of bash's says that a signal ended a command


def main(arguments: list[str]) -> int:
    """Run the task; return its exit status."""
    directory, token, task = Path(arguments[0]), arguments[1], int(arguments[2])
    record = read_record(directory)
    claim = read_claim(directory, task)
    mine = [a for a in record.attempts if a.token == token] if record else []
    if not record or not mine or claim.split()[:1] != [token]:
        print(f"{directory}: task {task} is another attempt's", file=sys.stderr)
        return NOT_MINE
    if end_path(directory, task).exists():
        return 0  # a requeued copy of what has ended
    return _Task(record, mine[0], task).run()


class _Task:
    def __init__(self, record: Record, attempt: Attempt, task: int) -> None:
        self.record, self.attempt, self.task = record, attempt, task
        self.job = job_name()
        self.node = os.environ.get("SLURMD_NODENAME") or socket.gethostname()
        restart = os.environ.get("SLURM_RESTART_COUNT", "0")
        self.claim = f"{attempt.token} {self.job} {self.node} {os.getpid()} {restart}"
        self.interrupted = False  # by SLURM, or because another has the claim
        self.child: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        self.let_late_copy_end()
        record, task = self.record, self.task
        command = fill(record.command, record.name, task)
        log = attempt_log(record.directory, task, self.attempt.number)
        write_claim(record.directory, task, self.claim)
        for number in HANDED_ON:
            signal.signal(number, self.hand_on)
        started = time.time()
        with log.open("a", encoding="utf-8") as file:
            link(log, Path(fill(record.log, record.name, task)))
            _say(
                file, f"Running on {self.node}, job {self.job}", f"Started at {_now()}"
            )
            _say(file, command)
            self.child = subprocess.Popen(
                ["bash", "-c", f"{UNLESS_HANDLED}; ( {command} )"],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
            status = self.wait()
            seconds = round(time.time() - started)
            _say(file, f"Accounting: time={seconds}")
            _say(file, f"Finished at {_now()} with status {status}")
        if self.interrupted:  # srun ends with 0 then, though its tasks have not ended
            return status or BY_SIGNAL + signal.SIGTERM
        if status >= BY_SIGNAL or status == UNFINISHED:
            return status
        end = End(
            self.attempt.token,
            self.attempt.number,
            self.job,
            self.node,
            status,
            started,
            time.time(),
            record.digest,
        )
        write_end(record.directory, task, end)
        return status

    def let_late_copy_end(self) -> None:
        """Wait for a copy behind a network partition, which would be in the way."""
        lost = {attempt.lost.get(self.task) for attempt in self.record.attempts}
        if lost & MAY_LIVE:
            time.sleep(max(0.0, self.attempt.submitted + LATE - time.time()))

    def wait(self) -> int:
        """Return the status of the command, which ends when another has the claim."""
        assert self.child
        while True:
            try:
                status = self.child.wait(LOOK)
                return status if status >= 0 else BY_SIGNAL - status
            except subprocess.TimeoutExpired:
                if read_claim(self.record.directory, self.task) != self.claim:
                    self.stop()
                    return NOT_MINE

    def stop(self) -> None:
        assert self.child
        self.interrupted = True
        self.send(signal.SIGTERM)
        try:
            self.child.wait(KILL)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self.child.wait()

    def hand_on(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.interrupted |= number in (signal.SIGTERM, signal.SIGINT)
        self.send(signal.Signals(number))

    def send(self, number: signal.Signals) -> None:
        if self.child and self.child.returncode is None:
            try:
                os.killpg(self.child.pid, number)
            except ProcessLookupError:
                return


def job_name() -> str:
    """Return SLURM's name of this task: job, or job and number as ``12_3``."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    if array:
        return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    return os.environ.get("SLURM_JOB_ID", "0")


def _say(file: TextIO, *lines: str) -> None:
    file.writelines(f"# {line}\n" for line in lines)
    file.flush()


def _now() -> str:
    return time.strftime("%FT%T%z")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
