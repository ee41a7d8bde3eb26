"""Stored statistics of experts."""

import numpy as np
import pytest

from espnet_merge.checkpoint.statistics import open_statistics
from espnet_merge.errors import InputError
from tests.statistics_of import write_statistics


def test_files_that_are_no_statistics(tmp_path):
    path = tmp_path / "s"
    with pytest.raises(InputError, match=r"statistics are a directory with stat.*gram"):
        open_statistics(path, "gram")
    write_statistics(path, "fisher", {"x": np.ones(3)})
    with pytest.raises(InputError, match="kind gram are needed, got fisher"):
        open_statistics(path, "gram")
    file = path / "statistics.safetensors"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(InputError, match="truncated"):
        open_statistics(path, "fisher")
