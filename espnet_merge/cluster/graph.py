"""Run the jobs of a plan, each as soon as what it needs is there.

Jobs of SLURM are submitted together and without a limit: the cluster has its own. Any
other runner, ``run.pl`` or ``queue.pl``, is a process of its own, so many at a time.
"""

import argparse
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

from espnet_merge.cluster.client import Client
from espnet_merge.cluster.plan import Job, read_plan, waves
from espnet_merge.cluster.pool import Pool
from espnet_merge.cluster.report import last_error
from espnet_merge.cluster.request import Request, read_request
from espnet_merge.cluster.run import LOOK, alone_at, client_of
from espnet_merge.cluster.signals import Ended, end_by_signals
from espnet_merge.cluster.submission import announced
from espnet_merge.disk.atomic import whole_file
from espnet_merge.errors import InputError, one_line_error

PROGRAM = "run_plan.py"
SHORT = 0.05  # seconds between two looks at processes
FAILED = 2  # exit status
TRAINING = "train"  # kind of jobs that ESPnet submits, each by itself


class Graph:
    """Brings the jobs of a plan to their end.

    Args:
        jobs: in the order in which they are preferred.
        limits: kind of job to the number of them at one time on this machine; all
            kinds together may be as many as the largest.

    Raises:
        InputError: what runs a job on SLURM has options that are wrong.
    """

    def __init__(self, jobs: Sequence[Job], limits: Mapping[str, int]) -> None:
        self.waiting, self.limits = list(jobs), limits
        self.requests = {j: read_request(j.arguments) for j in jobs if j.on_slurm}
        self.processes: dict[Job, subprocess.Popen[bytes]] = {}
        self.clients: dict[Client, Job] = {}
        self.pool = Pool()
        self.unfinished = {job.log for job in jobs}
        self.failed: dict[Job, str] = {}  # and why
        self.locks = ExitStack()

    def run(self) -> int:
        """Return 0 when all jobs have succeeded, else 2."""
        parent = os.getppid()
        with self.locks:
            try:
                while self.start_ready() or self.processes or self.clients:
                    self.collect()
                    if os.getppid() != parent:
                        return FAILED  # nobody waits; who comes back finds the jobs
                    time.sleep(LOOK if self.clients else SHORT)
            except Ended as ended:
                self.stop()
                return ended.status
            except InputError:
                self.end_processes()
                raise
        for job, reason in self.failed.items():
            tell(f"error: {job.what}: {reason}")
        if self.waiting:
            tell(f"{len(self.waiting)} job(s) wait for what has failed")
        return FAILED if self.failed else 0

    def start_ready(self) -> bool:
        """Start what can be started now; return whether anything was."""
        ready = [job for job in self.waiting if self.unfinished.isdisjoint(job.needs)]
        started = False
        for job in ready:
            if not (job.on_slurm or self.has_room(job)):
                continue
            if job.mark:  # what it speaks of is overwritten from now on
                job.mark.unlink(missing_ok=True)
            if job.on_slurm:
                self.submit(job)
            else:
                self.processes[job] = _process(job)
            self.waiting.remove(job)
            started = True
            if job.why:
                does = "submitted to SLURM" if job.on_slurm else "starts"
                tell(f"{job.what}: {does} ({job.why})")
        return started

    def has_room(self, job: Job) -> bool:
        """Return whether this machine may run one more of this kind."""
        running = Counter(one.kind for one in self.processes)
        most = max(self.limits.values())
        return running[job.kind] < self.limits[job.kind] and running.total() < most

    def submit(self, job: Job) -> None:
        """Hand a job over to the pool of clients."""
        request = self.requests[job]
        self.locks.enter_context(alone_at(request))
        client = client_of(request, job.words)
        self.clients[client] = job
        self.pool.add(client)

    def collect(self) -> None:
        """Take note of the jobs that have ended."""
        for job, process in list(self.processes.items()):
            if (status := process.poll()) is not None:
                del self.processes[job]
                self.end(job, status)
        for client in self.pool.step() if self.clients else []:
            self.end(self.clients.pop(client), client.finish(), client.lost)

    def end(self, job: Job, status: int, lost: str = "") -> None:
        """Note how a job ended: by itself, or lost by SLURM for a reason."""
        if status:
            self.failed[job] = lost or last_error(job.logs)
            return
        self.unfinished.discard(job.log)
        if job.mark:
            job.mark.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(job.mark) as part:
                part.write_text(f"{job.words}\n", "utf-8")
            tell(f"{job.what}: done")

    def stop(self) -> None:
        """End all that was started."""
        if self.pool.clients:
            self.pool.stop()
        self.end_processes()

    def end_processes(self) -> None:
        """End what runs on this machine."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait()


def submissions(jobs: Sequence[Job]) -> Iterator[str]:
    """Yield a line for each call of sbatch that jobs need if none is slow or fails."""
    for wave in waves(jobs):
        alike: dict[tuple[object, ...], list[tuple[Job, Request]]] = {}
        for job in wave:
            if job.on_slurm:
                request = read_request(job.arguments)
                key = (job.kind, request.words, request.settings.max_jobs_run)
                own = job.log if job.kind == TRAINING else ""
                alike.setdefault((own, *key), []).append((job, request))
        for group in alike.values():
            names = ", ".join(job.what for job, _ in group)
            yield f"{announced([request for _, request in group])}  # {names}"


def main() -> None:
    """Run the plan that comes in, or print what would be submitted for it."""
    parser = argparse.ArgumentParser(PROGRAM, description=__doc__)
    parser.add_argument("--limit", nargs="*", default=[], metavar="KIND=N")
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args()
    with one_line_error(PROGRAM):
        jobs = read_plan(sys.stdin.buffer.read())
        if options.dry_run:
            for line in submissions(jobs):
                print(line)
            return
        limits = {k: int(n) for k, _, n in (x.partition("=") for x in options.limit)}
        end_by_signals()
        sys.exit(Graph(jobs, limits).run())


def tell(words: str) -> None:
    """Write a line to the screen, as the recipe does."""
    name = os.environ.get("PLAN_OF", PROGRAM)
    print(f"{time.strftime('%FT%T')} {name}: {words}", file=sys.stderr, flush=True)


def _process(job: Job) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [job.runner[0], *job.arguments],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "JOB_INPUTS": job.words},
        close_fds=False,  # the lock of the recipe is free when the last job ends
    )
