"""Sweeps that begin with files."""

import pytest
import yaml

from espnet_merge.__main__ import main


def sweep(*extra):
    main(
        [
            *("sweep", "--base", "base", "--experts", "e1", "e2", "--output", "out"),
            *("--config", "mine.yaml", *extra),
        ]
    )


@pytest.fixture
def mine(models):
    """A file of mergekit's, which asks for float16."""
    (models / "mine.yaml").write_text(
        "merge_method: linear\ndtype: float16\nparameters: {weight: 1}\n"
        "models: [{model: x}, {model: y}]\n"
    )
    return models


def test_a_file_of_mergekits_is_a_start(mine):
    sweep("--dtype", "float16", "--grid", "weights=[1, 2],[2, 1]")
    record = yaml.safe_load((mine / "out/mine-weights=[1,2]/merge.yaml").read_text())
    assert (record["method"], record["dtype"]) == ("soup", "float16")
    assert record["params"] == {"weights": [1.0, 2.0], "normalize": True}
    assert [expert["path"] for expert in record["experts"]] == ["e1", "e2"]


def test_another_type_than_the_sweeps_is_refused(mine, capsys):
    with pytest.raises(SystemExit):
        sweep()
    assert "dtype is float16, of the sweep float32" in capsys.readouterr().err
