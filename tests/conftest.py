"""What many tests need: one thread, and a micro Whisper made once."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest


@pytest.fixture(scope="session")
def micro_whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Whisper as a Hugging Face directory; do not write into it."""
    from tests.micro import write_micro_whisper

    return write_micro_whisper(tmp_path_factory.mktemp("micro") / "whisper")
