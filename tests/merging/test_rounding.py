"""Experts stored in 16 bits, through the whole merge, and what is said of them."""

import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from espnet_merge.checkpoint import open_checkpoint
from espnet_merge.errors import InputWarning
from espnet_merge.merging.inputs import Inputs
from espnet_merge.merging.merge import Merge
from espnet_merge.merging.planned import PlannedMerge
from espnet_merge.merging.rounding import rounding_ratios
from espnet_merge.methods import build_method
from tests.checkpoint.build import write_checkpoint

LAYER = "model.encoder.layers.0."
SHAPES = {
    f"{LAYER}fc1.weight": (96, 64),
    f"{LAYER}self_attn.q_proj.weight": (64, 64),
    "model.encoder.conv1.weight": (64, 10, 3),
}
TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
EXPERTS = ("e1", "e2")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Write a base, and experts of low rank in each of the types."""
    root, rng = tmp_path_factory.mktemp("rounding"), np.random.default_rng(0)
    base = {n: rng.normal(0, 0.02, s).astype("f4") for n, s in SHAPES.items()}
    write_checkpoint(root / "base", base, vocabulary={"a": 0})
    for expert in EXPERTS:
        tensors = dict(base)
        for name in list(SHAPES)[:2]:
            rows, columns = SHAPES[name]
            delta = rng.normal(size=(rows, 4)) @ rng.normal(size=(4, columns))
            tensors[name] = base[name] + np.float32(1e-4) * delta.astype("f4")
        for name, kind in TYPES.items():
            path = write_checkpoint(root / f"{expert}-{name}", tensors)
            stored = {n: torch.tensor(x).to(kind) for n, x in tensors.items()}
            save_file(stored, path / "model.safetensors", metadata={"format": "pt"})
    return root


def merge_of(root, output, method, kinds):
    names = [f"{expert}-{kind}" for expert, kind in zip(EXPERTS, kinds, strict=True)]
    return Merge(
        method=build_method(method, {}),
        base=open_checkpoint(root / "base"),
        experts=[open_checkpoint(root / name) for name in names],
        output=output,
    )


def merged(root, output, method, kinds):
    """Return the merged delta of the matrices, and the warnings."""
    plan = PlannedMerge(merge=merge_of(root, output, method, kinds))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        plan.run()
    base = load_file(root / "base" / "model.safetensors")
    found = load_file(output / "model.safetensors")
    deltas = [(found[name] - base[name]).ravel() for name in list(SHAPES)[:2]]
    return torch.cat(deltas), [str(one.message) for one in caught]


@pytest.mark.parametrize("kind", ["F16", "BF16"])
@pytest.mark.parametrize("method", ["tsv_m", "boosted_tsv_m", "iso_c", "iso_cts"])
def test_the_merge_is_that_of_float32(root, tmp_path, method, kind):
    expected, nothing = merged(root, tmp_path / "F32", method, ("F32", "F32"))
    found, said = merged(root, tmp_path / kind, method, (kind, kind))
    limit = {"F16": 0.03, "BF16": 0.2}[kind]
    assert torch.norm(found - expected) < limit * torch.norm(expected)
    assert not [line for line in nothing if "16 bits" in line]
    assert len([line for line in said if "16 bits" in line]) == 2


def test_an_expert_in_16_bits_is_named_with_what_it_lost(root, tmp_path):
    _, said = merged(root, tmp_path / "out", "task_arithmetic", ("F32", "BF16"))
    (line,) = [line for line in said if "16 bits" in line]
    assert line.startswith(f"{root / 'e2-BF16'}: is stored in 16 bits, and about")
    assert line.endswith("of its task vector is rounding; save experts in float32.")


def test_the_ratio_is_that_of_the_errors(root, tmp_path, monkeypatch):
    monkeypatch.setattr("espnet_merge.merging.rounding.SAMPLED_ONE_IN", 1)
    merge = merge_of(root, tmp_path / "out", "tsv_m", ("F16", "BF16"))
    base = load_file(root / "base" / "model.safetensors")
    ratios = rounding_ratios(Inputs(merge.base, merge.experts))
    for expert, kind, ratio in zip(EXPERTS, ("F16", "BF16"), ratios, strict=True):
        exact, stored = (
            load_file(root / f"{expert}-{x}" / "model.safetensors")
            for x in ("F32", kind)
        )
        errors = [(stored[n].float() - exact[n]).ravel() for n in SHAPES]
        moved = [(stored[n].float() - base[n]).ravel() for n in SHAPES]
        expected = torch.norm(torch.cat(errors)) / torch.norm(torch.cat(moved))
        assert ratio == pytest.approx(expected.item(), rel=0.05)
