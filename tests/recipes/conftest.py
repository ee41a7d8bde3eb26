"""An environment for recipes whose commands start warm."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recipes.warm import warm_commands


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An environment whose commands do not import torch each anew."""
    venv = tmp_path_factory.mktemp("venv")
    with warm_commands(venv / "bin"):
        yield venv
