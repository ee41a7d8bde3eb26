"""The table of methods."""

import subprocess
import sys
from pathlib import Path

import pytest

from espnet_merge.methods import METHODS


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_a_file_of_tests(name):
    text = (Path(__file__).parent / f"test_{name}.py").read_text()
    assert f"espnet_merge.methods.{name} import {METHODS[name].__name__}" in text


def test_methods_import_neither_numpy_nor_torch():
    code = (
        "import sys; import espnet_merge.methods;"
        "print(sorted({'numpy', 'torch'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
