"""The methods against the code of their authors, through the whole merge."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from espnet_merge.checkpoint import open_checkpoint
from espnet_merge.merging.loop import run
from espnet_merge.merging.merge import Merge
from espnet_merge.methods import build_method
from tests.checkpoint.build import write_checkpoint

HERE = Path(__file__).parent
REFERENCES = json.loads((HERE / "references.json").read_text())


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("golden")
    arrays = dict(np.load(HERE / "inputs.npz"))
    names = [key.partition("/")[2] for key in arrays if key.startswith("base/")]
    for model in ("base", "e1", "e2", "e3"):
        # The encoder's position table is the base's in every expert.
        tensors = {n: arrays.get(f"{model}/{n}", arrays[f"base/{n}"]) for n in names}
        write_checkpoint(root / model, tensors)
    return root


def digest(x):
    x = x.astype(np.float64).ravel()
    i = np.arange(x.size)
    waves = (x @ np.sin(0.7 * i + 0.3), x @ np.cos(1.3 * i))
    return [np.linalg.norm(x), *waves, np.abs(x).max()]


@pytest.mark.parametrize("compute_dtype", ["float64", "float32"])
@pytest.mark.parametrize("reference", REFERENCES)
def test_reference(models, tmp_path, reference, compute_dtype):
    case = REFERENCES[reference]
    experts = case.get("experts", ["e1", "e2", "e3"])
    run(
        [
            Merge(
                method=build_method(case["method"], case["params"]),
                base=open_checkpoint(models / "base"),
                experts=[open_checkpoint(models / name) for name in experts],
                output=tmp_path / "merged",
                compute_dtype=compute_dtype,
            )
        ]
    )
    base = load_file(models / "base" / "model.safetensors")
    merged = load_file(tmp_path / "merged" / "model.safetensors")
    assert merged.keys() == case["digest"].keys()
    for name, expected in case["digest"].items():
        got = digest(merged[name].astype(np.float64) - base[name])
        assert got == pytest.approx(expected, rel=0, abs=5e-6), name
