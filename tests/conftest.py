"""What many tests need: one thread, checked signatures, a GPU where they say so."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from tests import typed

# Before any of its packages is imported.
typed.install()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is marked ``gpu`` where there is none."""
    if item.get_closest_marker("gpu"):
        from torch import cuda

        if not cuda.is_available():
            pytest.skip("needs a GPU that torch can use")
