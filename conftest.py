"""What many tests and doctests need: one thread, micro models made once."""

import os
import shutil
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


@pytest.fixture(scope="session")
def finished_recipe(
    micro_whisper: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A base and two experts in exp/, data in dump/raw/; do not write into it."""
    from tests.recipes.finished import write_recipe

    return write_recipe(tmp_path_factory.mktemp("recipe"), micro_whisper)


@pytest.fixture(autouse=True)
def place_of_doctests(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run the examples of commands in a copy of the recipe."""
    node = request.node
    if isinstance(node, pytest.DoctestItem) and "espnet_merge.bin." in node.name:
        recipe = request.getfixturevalue("finished_recipe")
        monkeypatch.chdir(shutil.copytree(recipe, tmp_path / "recipe"))
