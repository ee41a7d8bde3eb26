"""Questions to SLURM, by its own commands.

squeue knows who lives and, for some minutes, how the others ended. sacct, where the
cluster keeps accounts, or scontrol add the exit status and the node.
"""

import re
import subprocess
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from espnet_merge.cluster.record import UNFINISHED
from espnet_merge.errors import InputError

SECONDS = 60  # after which a command of SLURM's that does not end is given up

# States in which a job may still run; all others are final.
ALIVE = {
    "PENDING",
    "CONFIGURING",
    "RUNNING",
    "COMPLETING",
    "STAGE_OUT",
    "SUSPENDED",
    "STOPPED",
    "SIGNALING",
    "RESIZING",
    "REQUEUED",
    "REQUEUE_FED",
    "RESV_DEL_HOLD",
}
GONE = "GONE"  # of a job that SLURM no longer knows
# What a controller says that has no time, or no room yet; other refusals are for good.
LATER = re.compile(
    r"unable to contact|timed out|connection|temporar|try again|transmitted or received"
    r"|communicat|authentication|credential|job submit limit|maximum number of jobs",
    re.IGNORECASE,
)
REFUSED = re.compile(
    r"Batch job submission failed|Try \"sbatch --help\"|\bInvalid\b|unrecognized option"
)


class SilentError(Exception):
    """SLURM gives no answer now; it may later."""


class RefusedError(InputError):
    """SLURM will not take a job as it is."""


class State(NamedTuple):
    """What SLURM says of a task: its state, and why it waits."""

    name: str
    reason: str = ""

    @property
    def alive(self) -> bool:
        """Whether the task may still run."""
        return self.name in ALIVE


class Ending(NamedTuple):
    """How a task ended: its state, the exit status (or None), and its node."""

    state: str
    status: int | None = None
    node: str = ""


def submit(words: Sequence[str], script: Path) -> str:
    """Submit a job, and return its number.

    Args:
        words: sbatch and its options.
        script: what is run.

    Raises:
        RefusedError: SLURM refuses it.
        SilentError: there is no answer.
    """
    done = _run([*words, "--parsable", str(script)])
    if done.returncode == 0 and (match := re.search(r"^\d+", done.stdout, re.M)):
        return match[0]
    said = _one_line(done)
    if REFUSED.search(said) and not LATER.search(said):
        raise RefusedError(f"SLURM refuses the job: {said}; see conf/slurm.conf.")
    raise SilentError(said)


def states(jobs: Collection[str]) -> dict[tuple[str, int], State]:
    """Return the state of each task that SLURM knows, by job and number of task.

    The number of a job that is no array is 1.

    Raises:
        SilentError: there is no answer.
    """
    form = "%A|%F|%K|%T|%r"
    words = ["squeue", "-h", "-r", "-t", "all", "-j", ",".join(jobs), "-o", form]
    done = _run(words)
    if done.returncode:
        if "Invalid job id" in done.stderr:
            return {}
        raise SilentError(_one_line(done))
    found = {}
    for line in done.stdout.splitlines():
        own, array, task, state, reason = line.strip().split("|", 4)
        number = (array, int(task)) if task.isdigit() else (own, 1)
        found[number] = State(state, reason)
    return found


def ending(task_id: str, state: str) -> Ending:
    """Return how a task ended, as accounts or controller tell; else ``state`` alone.

    What SLURM calls a failure is no one if the command asks to be run again.

    Args:
        task_id: job, or job and task as ``12_3``.
        state: what squeue said.
    """
    end = _by_accounts(task_id) or _by_controller(task_id) or Ending(state)
    if (end.state, end.status) == ("FAILED", UNFINISHED):
        return end._replace(state="UNFINISHED")
    return end


def cancel(task_ids: Iterable[str]) -> None:
    """Cancel jobs, or tasks of arrays; those that have ended are left as they are.

    Raises:
        SilentError: there is no answer.
    """
    ids = list(task_ids)
    if not ids:
        return
    done = _run(["scancel", "--quiet", *ids])
    if done.returncode and LATER.search(done.stderr):
        raise SilentError(_one_line(done))


def _by_accounts(task_id: str) -> Ending | None:
    form = "--format=State,ExitCode,NodeList"
    try:
        done = _run(["sacct", "-n", "-P", "-X", "-j", task_id, form])
    except SilentError:
        return None
    for line in done.stdout.splitlines():
        state, code, node = line.split("|")
        state = state.split()[0]  # of "CANCELLED by 0"
        if done.returncode == 0 and state not in ALIVE:
            return Ending(state, _status(code), node)
    return None


def _by_controller(task_id: str) -> Ending | None:
    try:
        done = _run(["scontrol", "show", "job", "-o", task_id])
    except SilentError:
        return None
    told: dict[str, str] = dict(re.findall(r"(\w+)=(\S+)", done.stdout))
    state = told.get("JobState", "")
    if done.returncode or not state or state in ALIVE:
        return None
    node = told.get("BatchHost", told.get("NodeList", ""))
    return Ending(state, _status(told.get("ExitCode", "")), node)


def _status(code: str) -> int | None:
    """Return the exit status that SLURM writes as status:signal.

    >>> _status("7:0"), _status("0:9"), _status("")
    (7, 137, None)
    """
    match = re.fullmatch(r"(\d+):(\d+)", code)
    if not match:
        return None
    return int(match[1]) or (128 + int(match[2]) if int(match[2]) else 0)


def _run(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            # What ends the client at the terminal must not end its last request.
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        raise SilentError(f"{words[0]} took more than {SECONDS} s") from error
    except OSError as error:
        raise SilentError(f"{words[0]}: {error.strerror}") from error


def _one_line(done: subprocess.CompletedProcess[str]) -> str:
    text = " ".join((done.stderr or done.stdout).split())
    return text or f"{done.args[0]} ended with status {done.returncode}"
