"""A hub on this machine, which its own client takes for the real one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whisper.hub_server import Hub, serving, take_for_the_hub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving(tmp_path / "hub") as server:
        take_for_the_hub(server, tmp_path / "cache", monkeypatch)
        yield server
