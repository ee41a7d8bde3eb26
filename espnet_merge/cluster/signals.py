"""Signals that ask a client to end, as an exception at one place."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Ended(BaseException):
    """A signal asks the client to end."""

    @property
    def status(self) -> int:
        """The exit status that says so."""
        return 128 + int(self.args[0])


def end_by_signals() -> None:
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
def undisturbed() -> Iterator[None]:
    """Let signals wait: between a submission and its record nothing may come."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
