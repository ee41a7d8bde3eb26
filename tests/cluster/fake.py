"""Stand-ins for SLURM's commands: files of one directory are what a controller knows.

Linked as sbatch, squeue, sacct, scontrol and scancel, this script does what the client
needs of each. A job's tasks are processes; ``state/<job>_<task>`` says how each is.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

COMMANDS = ("sbatch", "squeue", "sacct", "scontrol", "scancel")


class Fake:
    """The directory, as the tests and the commands see it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.states = place / "state"

    def install(self) -> Path:
        """Make the commands; return the directory for PATH."""
        self.states.mkdir(parents=True)
        binaries = self.place / "bin"
        binaries.mkdir()
        for command in COMMANDS:
            file = binaries / command
            file.write_text(
                f'#!/bin/sh\nexec {sys.executable} {__file__} {command} "$@"\n'
            )
            file.chmod(0o755)
        return binaries

    def read(self, name: str) -> dict:
        with suppress(json.JSONDecodeError):  # just being written
            return json.loads((self.states / name).read_text())
        time.sleep(0.05)
        return self.read(name)

    def set(self, name: str, **values: object) -> None:
        path = self.states / name
        known = self.read(name) if path.exists() else {}
        part = self.place / f"part.{name}.{os.getpid()}"
        part.write_text(json.dumps({**known, **values}))
        part.replace(path)

    def end(self, name: str, state: str) -> None:
        """End a task in this state, as the cluster would."""
        self.set(name, state=state)
        pid = self.read(name).get("pid")
        if pid:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGTERM)

    def is_(self, name: str, state: str) -> bool:
        return name in self.all() and self.read(name)["state"] == state

    def all(self) -> list[str]:
        return sorted(path.name for path in self.states.iterdir())

    def switch(self, name: str, *, on: bool) -> None:
        """Set ``silent``, ``silent_sbatch``, ``accounts`` or ``hold`` on or off."""
        if on:
            (self.place / name).touch()
        else:
            (self.place / name).unlink()

    def has(self, name: str) -> bool:
        return (self.place / name).exists()


def sbatch(fake: Fake, words: list[str]) -> None:
    if fake.has("silent_sbatch"):
        sys.exit("sbatch: error: Batch job submission failed: Socket timed out")
    if "none" in words:
        sys.exit(
            "sbatch: error: invalid partition specified: none\n"
            "sbatch: error: Batch job submission failed: Invalid partition name"
        )
    number = len(list(fake.place.glob("submitted.*"))) + 1
    (fake.place / f"submitted.{number}").write_text(json.dumps(words))
    array = [w.partition("=")[2] for w in words if w.startswith("--array=")]
    tasks = _numbers(array[0].partition("%")[0]) if array else [0]
    (output,) = (w.partition("=")[2] for w in words if w.startswith("--output="))
    for task in tasks:
        name = f"{number}_{task}" if array else f"{number}"
        fake.set(name, state="PENDING", reason="None", node="n1")
        out = output.replace("%A", str(number)).replace("%a", str(task))
        with Path(out.replace("%j", str(number))).open("a") as file:
            subprocess.Popen(
                [sys.executable, __file__, "run", name, words[-1]],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
    print(number)


def run(fake: Fake, words: list[str]) -> None:
    """Be the job: run its script."""
    name, script = words
    while fake.has("hold"):
        if fake.read(name)["state"] != "PENDING":
            return
        time.sleep(0.05)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])  # sbatch's is no job's
    signal.signal(signal.SIGTERM, lambda *_: None)
    job, _, task = name.partition("_")
    variables = {"SLURM_JOB_ID": job, "SLURMD_NODENAME": "n1"}
    if task:
        variables |= {"SLURM_ARRAY_JOB_ID": job, "SLURM_ARRAY_TASK_ID": task}
    fake.set(name, state="RUNNING", pid=os.getpid())
    with suppress(ProcessLookupError):
        status = subprocess.run(
            ["bash", script], env={**os.environ, **variables}
        ).returncode
    if fake.read(name)["state"] == "RUNNING":
        state = "FAILED" if status else "COMPLETED"
        fake.set(name, state=state, code=f"{max(status, 0)}:{max(-status, 0)}")


def squeue(fake: Fake, words: list[str]) -> None:
    jobs = words[words.index("-j") + 1].split(",")
    found = [n for n in fake.all() if n.partition("_")[0] in jobs]
    if not found:
        sys.exit("slurm_load_jobs error: Invalid job id specified")
    for name in found:
        job, _, task = name.partition("_")
        one = fake.read(name)
        print(f"{job}|{job}|{task or 'N/A'}|{one['state']}|{one['reason']}")


def sacct(fake: Fake, words: list[str]) -> None:
    if not fake.has("accounts"):
        sys.exit("Slurm accounting storage is disabled")
    one = fake.read(words[words.index("-j") + 1])
    state = one.get("accounts", one["state"])
    print(f"{state}|{one.get('code', '0:0')}|{one['node']}")


def scontrol(fake: Fake, words: list[str]) -> None:
    one = fake.read(words[-1])
    print(f"JobState={one['state']} ExitCode={one.get('code', '0:0')} BatchHost=n1")


def scancel(fake: Fake, words: list[str]) -> None:
    for word in words[1:]:
        for name in fake.all():
            alive = fake.read(name)["state"] in ("PENDING", "RUNNING")
            if alive and word in (name, name.partition("_")[0]):
                fake.end(name, "CANCELLED")


def _numbers(text: str) -> list[int]:
    found = []
    for part in text.split(","):
        first, last = re.fullmatch(r"(\d+)(?:-(\d+))?", part).groups()
        found += range(int(first), int(last or first) + 1)
    return found


if __name__ == "__main__":
    known = Fake(Path(os.environ["FAKE_SLURM"]))
    command = sys.argv[1]
    if known.has("silent") and command != "run":
        sys.exit(f"{command}: error: Unable to contact slurm controller")
    globals()[command](known, sys.argv[2:])
