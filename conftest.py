"""Of tests and doctests alike: models, how warnings are judged, which file is first."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.warned import pytest_collection, pytest_runtest_protocol

__all__ = ["pytest_collection", "pytest_runtest_protocol"]
LONGEST = "tests/recipes/test_merge1.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process waits for it at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


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
def directory_of_doctests(request: pytest.FixtureRequest) -> None:
    """Run the examples of commands in a copy of the recipe."""
    node, get = request.node, request.getfixturevalue
    if isinstance(node, pytest.DoctestItem) and "espnet_merge.bin." in node.name:
        copy = shutil.copytree(get("finished_recipe"), get("tmp_path") / "recipe")
        get("monkeypatch").chdir(copy)
