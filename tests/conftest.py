"""What many tests need: one thread, and a micro Whisper made once."""

import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from tests import typed

# Before any of its packages is imported.
typed.install()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        cache = tmp_path_factory.mktemp("cache")
        patch.setenv("ESPNET_MERGE_CACHE", str(cache))
        yield


@pytest.fixture(scope="session")
def micro_whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Whisper as a Hugging Face directory; do not write into it."""
    from tests.micro import write_micro_whisper

    return write_micro_whisper(tmp_path_factory.mktemp("micro") / "whisper")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is marked ``gpu`` where there is none."""
    if item.get_closest_marker("gpu"):
        from torch import cuda

        if not cuda.is_available():
            pytest.skip("needs a GPU that torch can use")
