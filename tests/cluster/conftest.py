import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.fake import Fake

ROOT = Path(__file__).parents[2]


class Desk:
    """A directory with a configuration, a fake SLURM, and clients that are started."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "conf").mkdir()
        shutil.copy(ROOT / "conf" / "slurm.conf", directory / "conf")
        self.slurm = Fake(directory / "fake")
        self.binaries = self.slurm.install()
        self.screen = directory / "screen"
        self.clients: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        with self.screen.open("ab") as screen:
            client = subprocess.Popen(
                [sys.executable, ROOT / "local" / "slurm.py", "--poll", "1", *words],
                cwd=self.directory,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "PATH": f"{self.binaries}:{os.environ['PATH']}",
                    "FAKE_SLURM": str(self.slurm.place),
                    **environment,
                },
                stderr=screen,
                start_new_session=True,
            )
        self.clients.append(client)
        return client

    def run(self, *words: str, **environment: str) -> int:
        return self.start(*words, **environment).wait(30)

    def end(self) -> None:
        for client in self.clients:
            client.kill()
            client.wait()
        for name in self.slurm.all():
            self.slurm.end(name, "CANCELLED")

    @property
    def said(self) -> str:
        return self.screen.read_text("utf-8")

    def waits(self, condition, seconds: float = 15) -> None:
        start = time.monotonic()
        while not condition():
            assert time.monotonic() - start < seconds
            time.sleep(0.05)

    def waits_for(self, name: str) -> None:
        path = self.directory / name
        self.waits(lambda: path.exists() and path.stat().st_size)

    def read(self, name: str) -> str:
        return (self.directory / name).read_text("utf-8")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.end()
