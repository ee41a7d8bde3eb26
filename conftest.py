"""Of tests and doctests alike: how warnings are judged, and which file is first."""

import pytest

from tests.warned import pytest_collection, pytest_runtest_protocol

__all__ = ["pytest_collection", "pytest_runtest_protocol"]
LONGEST = "tests/recipes/test_merge1.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process waits for it at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
