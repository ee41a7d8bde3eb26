"""Clients that ask SLURM together, and whose tasks are submitted together.

What asks for the same is one array: of twenty merges, or of the decoding of twenty
systems. Each command keeps a record of its own.
"""

import time
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter

from espnet_merge.cluster import scheduler
from espnet_merge.cluster.client import Client
from espnet_merge.cluster.report import say
from espnet_merge.cluster.scheduler import RefusedError, SilentError
from espnet_merge.cluster.signals import undisturbed
from espnet_merge.cluster.submission import Part, settle, words_of, write_script
from espnet_merge.errors import InputError

SOON = 2.0  # seconds between two questions while a task ends
CANCELLING = 60.0  # seconds in which the jobs of an ended client must be cancelled
LARGEST = 1000  # tasks of an array of several commands: SLURM's MaxArraySize less one


class Pool:
    """Brings the tasks of some clients to their end."""

    def __init__(self) -> None:
        self.clients: list[Client] = []  # those with open tasks
        self.asked = 0.0
        self.silent_since: float | None = None
        self.told_silence = False

    def add(self, client: Client) -> None:
        """Take over a client; its tasks are submitted at the next step."""
        self.clients.append(client)
        self.asked = 0.0

    def step(self) -> list[Client]:
        """Look, ask and submit, as far as it is time; return clients that are done."""
        for client in self.clients:
            client.take_ends()
        now = time.monotonic()
        if now - self.asked >= self.pause() and any(c.open for c in self.clients):
            self.asked = now
            self.look()
            self.submit()
        done = [client for client in self.clients if not client.open]
        self.clients = [client for client in self.clients if client.open]
        return done

    def pause(self) -> float:
        """Return the seconds between two questions."""
        if any(client.final for client in self.clients):
            return SOON
        return min((client.settings.poll for client in self.clients), default=SOON)

    def look(self) -> None:
        """Ask SLURM for the tasks that have not ended by themselves."""
        jobs = {str(a.job) for client in self.clients for a in client.live.values()}
        if not jobs:
            return
        try:
            states = scheduler.states(jobs)
        except SilentError as error:
            self.is_silent(error)
            return
        self.silent_since = None
        for client in self.clients:
            client.take_ends()
            client.learn(states)

    def submit(self) -> None:
        """Submit all tasks that have no job, those that ask for the same together.

        Raises:
            InputError: SLURM refuses them; then all others are cancelled.
        """
        waiting = [client for client in self.clients if client.waiting]
        for clients in alike(waiting):
            try:
                with undisturbed():
                    self.submit_together(clients)
            except RefusedError:
                self.stop()
                raise

    def submit_together(self, clients: list[Client]) -> None:
        """Submit the tasks of clients that ask for the same."""
        parts = [
            Part(
                client.record,
                client.record.begin(client.waiting, client.request.words),
                client.request,
            )
            for client in clients
        ]
        place = settle(parts)
        job = None
        try:
            job = scheduler.submit(words_of(parts, place), write_script(parts, place))
            self.silent_since = None
        except SilentError as error:
            self.is_silent(error)
        finally:
            for part in parts:
                if job:
                    part.attempt.job = job
                else:
                    part.record.attempts.pop()
                part.record.save()

    def is_silent(self, error: SilentError) -> None:
        """Wait for SLURM to answer, but not for ever.

        Raises:
            InputError: it has not answered for too long.
        """
        now = time.monotonic()
        if self.silent_since is None:
            self.silent_since = now
            log = self.clients[0].request.log
            say(f"{log}: SLURM does not answer, waiting: {error}")
        patience = max(client.settings.patience for client in self.clients)
        if now - self.silent_since > patience:
            raise InputError(
                f"SLURM has not answered for {patience} s: {error}; run again when it"
                " does, which goes on with the jobs that still run."
            )

    def stop(self) -> None:
        """Cancel all jobs; those that SLURM does not reach end by their lost claims."""
        ids = {one for client in self.clients for one in client.let_go()}
        until = time.monotonic() + CANCELLING
        while not self.cancel(ids) and time.monotonic() < until:
            time.sleep(1)
        for client in self.clients:
            client.record.save()
        if ids:
            logs = ", ".join(client.request.log for client in self.clients)
            say(f"{logs}: ended; cancelled {', '.join(sorted(ids))}")

    def cancel(self, ids: set[str]) -> bool:
        """Cancel tasks; return whether SLURM has heard it."""
        try:
            scheduler.cancel(ids)
        except SilentError as error:
            if not self.told_silence:
                say(f"cannot cancel {', '.join(sorted(ids))}: {error}")
            self.told_silence = True
            return False
        return True


def alike(clients: list[Client]) -> Iterator[list[Client]]:
    """Yield clients that ask for the same, as many as one array holds.

    A single command may have more tasks than that, if the cluster takes them.
    """
    asked = attrgetter("request.words", "settings.max_jobs_run")
    for _, group in groupby(sorted(clients, key=asked), asked):
        together: list[Client] = []
        for client in group:
            tasks = sum(len(one.waiting) for one in [*together, client])
            if together and tasks > LARGEST:
                yield together
                together = []
            together.append(client)
        yield together
