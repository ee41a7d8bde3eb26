"""Run a command as jobs of SLURM, with the interface of Kaldi's ``slurm.pl``.

It submits an array, and waits. When it is ended, so are its jobs; when it is killed,
the next one with the same command goes on with them.
"""

import os
import sys
import time
from pathlib import Path
from typing import BinaryIO

from espnet_merge.cluster.client import Client
from espnet_merge.cluster.pool import Pool
from espnet_merge.cluster.record import place_of
from espnet_merge.cluster.report import PROGRAM, say
from espnet_merge.cluster.request import Request, read_request
from espnet_merge.cluster.resume import record_for
from espnet_merge.cluster.signals import Ended, end_by_signals
from espnet_merge.cluster.status import status_of
from espnet_merge.disk.lock import hold, hold_if_free
from espnet_merge.errors import one_line_error

LOOK = 0.5  # seconds between two looks at the disk


def alone_at(request: Request) -> BinaryIO:
    """Return the lock of a request's log, once no other client is at work on it."""
    place = place_of(request.log, request.name)
    place.mkdir(parents=True, exist_ok=True)
    lock = hold_if_free(place / "lock")
    if not lock:
        say(f"{request.log}: another client is at work on it, waiting")
        lock = hold(place / "lock")
    return lock


def client_of(request: Request, inputs: str | None) -> Client:
    """Return a client for a request, with what an older one has left of it.

    Args:
        request: what is to be run.
        inputs: what its result depends on beside the command.
    """
    return Client(
        request, record_for(request, place_of(request.log, request.name), inputs)
    )


def run(request: Request) -> int:
    """Run a request, alone at its log; return the exit status."""
    parent = os.getppid()
    pool = Pool()
    with alone_at(request):
        try:
            end_by_signals()
            client = client_of(request, os.environ.get("JOB_INPUTS"))
            pool.add(client)
            while not pool.step():
                if os.getppid() != parent:
                    return 1  # nobody waits; who comes back finds the jobs
                time.sleep(LOOK)
            return client.finish()
        except Ended as ended:
            if pool.clients:
                pool.stop()
            return ended.status


def main() -> None:
    """Run what the command line asks for, or say how far it is."""
    with one_line_error(PROGRAM):
        match sys.argv[1:]:
            case ["--status", directory]:
                print(*status_of(Path(directory)), sep="\n")
            case words:
                sys.exit(run(read_request(words)))
