"""One cluster for all tests of this directory, which run where TEST_SLURM says so."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recipes.warm import warm_commands
from tests.slurm.cluster import NEEDED, Cluster
from tests.slurm.recipe import FEWER, OnCluster

ROOT = Path(__file__).parents[2]
NOTICED = 30  # seconds in which a fault must be on the screen


class Client:
    """A client that runs, or has run, in a directory of its own."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.cluster, self.directory = cluster, directory
        (directory / "conf").mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "conf" / "slurm.conf", directory / "conf")
        self.screen = directory / "screen"
        self.screen.touch()
        self.path = [str(Path(sys.executable).parent), os.environ["PATH"]]

    def start(self, *words: object, **environment: str) -> "Client":
        """Start the client with these words."""
        self.started = time.monotonic()
        with self.screen.open("ab") as screen:
            self.process = subprocess.Popen(
                [sys.executable, ROOT / "local" / "slurm.py", *map(str, words)],
                cwd=self.directory,
                env={
                    **os.environ,
                    **self.cluster.environment,
                    "PYTHONPATH": str(ROOT),
                    "PATH": ":".join(self.path),
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stderr=screen,
                start_new_session=True,
            )
        return self

    def wait(self, seconds: float = 120) -> int:
        return self.process.wait(seconds)

    def run(self, *words: object, **environment: str) -> int:
        return self.start(*words, **environment).wait()

    @property
    def said(self) -> str:
        return self.screen.read_text("utf-8")

    def waits_for(self, name: str, seconds: float = 30) -> float:
        """Wait until a file is there, with something in it."""
        path = self.directory / name
        return self.cluster.wait_for(
            lambda: path.exists() and path.stat().st_size, seconds, name
        )

    def hears(self, words: str, seconds: float = NOTICED) -> float:
        """Wait until words are on the screen; return the seconds that took."""
        return self.cluster.wait_for(lambda: words in self.said, seconds, words)

    def read(self, name: str) -> str:
        return (self.directory / name).read_text("utf-8")


@pytest.fixture(scope="session")
def daemons() -> Iterator[Cluster]:
    if not os.environ.get("TEST_SLURM"):
        pytest.skip("needs a SLURM: make test-slurm")
    missing = [name for name in NEEDED if not shutil.which(name)]
    assert not missing, f"run tools/install_slurm.sh: no {missing}"
    with Cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An environment whose Python processes start warm."""
    venv = tmp_path_factory.mktemp("venv")
    with warm_commands(venv / "bin"):
        yield venv


@pytest.fixture(scope="session")
def trained(daemons, tmp_path_factory, micro_whisper, warm) -> OnCluster:
    """A recipe whose experts are trained, without a cluster."""
    recipe = OnCluster(daemons, tmp_path_factory.mktemp("all"), micro_whisper, warm)
    recipe.backend = "local"
    done = recipe.run(**FEWER, stop_stage="7")
    assert done.returncode == 0, done.stderr[-3000:]
    del recipe.backend
    return recipe


@pytest.fixture(scope="session")
def expected(trained, tmp_path_factory) -> dict[str, bytes]:
    """Hypotheses and scores that it gives without a cluster."""
    recipe = trained.copy(tmp_path_factory.mktemp("expected"))
    recipe.backend = "local"
    done = recipe.run(**FEWER)
    assert done.returncode == 0, done.stderr[-3000:]
    return recipe.results()


@pytest.fixture
def cluster(daemons: Cluster) -> Cluster:
    daemons.reset()
    return daemons


@pytest.fixture
def client(cluster: Cluster, tmp_path: Path) -> Iterator[Client]:
    client = Client(cluster, tmp_path)
    yield client
    if hasattr(client, "process") and client.process.poll() is None:
        client.process.send_signal(signal.SIGKILL)
        client.process.wait()


@pytest.fixture
def noticed(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]):
    """Print after how many seconds a fault was noticed; ``hears`` waits for 30."""

    def note(seconds: float) -> None:
        with capsys.disabled():
            words = f"\n{request.node.name}: {seconds:.1f} s"
            print(words, file=sys.stderr, flush=True)  # a second process's, too

    return note
