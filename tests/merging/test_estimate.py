import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from espnet_merge.checkpoint import open_checkpoint, open_expert
from espnet_merge.merging import estimate
from espnet_merge.merging.merge import Merge
from espnet_merge.methods import build_method
from tests.checkpoint.build import write_checkpoint

NAME = "model.encoder.layers.0.fc1.weight"


@pytest.fixture
def merge_with(tmp_path):
    def merge_with(method, rows, params=None):
        root = tmp_path / str(rows)
        for name, value in (("base", 0), ("e1", 1), ("e2", 2)):
            tensor = np.full((rows, 300), value, np.float16)
            write_checkpoint(root / name, {NAME: tensor})
        return Merge(
            method=build_method(method, params or {}),
            base=open_checkpoint(root / "base"),
            experts=[open_checkpoint(root / name) for name in ("e1", "e2")],
            output=tmp_path / "out",
        )

    return merge_with


def test_memory_grows_with_matrices_alone(merge_with):
    for method in ("soup", "dare", "task_arithmetic"):
        few, many = (merge_with(method, rows) for rows in (1000, 4000))
        assert estimate.memory(few, 1) == estimate.memory(many, 1)
        assert estimate.memory(few, 1) < estimate.memory(few, 4)
    for method in ("ties", "sce", "pcb"):
        few, many = (merge_with(method, rows) for rows in (1000, 4000))
        # One entry of sixteen of both experts, its index, and a copy.
        assert estimate.memory(many, 1) - estimate.memory(few, 1) == pytest.approx(
            3000 * 300 / 16 * 12 * 2 * 2, rel=1e-3
        )
    few, many = (merge_with("tsv_m", rows) for rows in (1000, 4000))
    assert estimate.memory(many, 1) - estimate.memory(few, 1) > 3000 * 300 * 8


def test_time_grows_with_surveys_and_falls_with_threads(merge_with):
    entry, tensor, model = (
        estimate.seconds([merge_with(*method)], 1)
        for method in (("dare", 1000), ("sce", 1000), ("ties", 1000))
    )
    assert 0 < entry < tensor < model
    assert estimate.seconds([merge_with("dare", 1000)], 2) == entry / 2


def test_adapters_take_less(merge_with, tmp_path):
    models = merge_with("tsv_m", 4000)
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 2, "target_modules": ["fc1"]}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    module = f"base_model.model.{NAME.removesuffix('.weight')}"
    factors = {"A": np.ones((2, 300), "f4"), "B": np.ones((4000, 2), "f4")}
    named = {f"{module}.lora_{side}.weight": x for side, x in factors.items()}
    save_file(named, adapter / "adapter_model.safetensors")
    adapters = replace(models, experts=[open_expert(adapter)] * 2)
    assert estimate.seconds([adapters], 1) < estimate.seconds([models], 1) / 5
    assert estimate.memory(adapters, 1) < estimate.memory(models, 1)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("dare", {"scale": 0.5}),
        ("ties", {"density": 0.3}),
        ("ties", {"trim": "global"}),
        ("pcb", {"density": 0.3}),
        ("tsv_m", {"spectral": "all_2d"}),
        ("lors", {"compress": "none"}),
    ],
)
def test_patterns_of_equal_values_need_what_the_plain_method_does(
    merge_with, method, params
):
    plain = merge_with(method, 1000, params)
    patterns = {key: {"fc1": value, "default": value} for key, value in params.items()}
    by_tensor = merge_with(method, 1000, patterns)
    assert estimate.memory(by_tensor, 1) == estimate.memory(plain, 1)
    assert estimate.seconds([by_tensor], 1) == estimate.seconds([plain], 1)
    other = merge_with(method, 1000, {key: {"fc1": v} for key, v in params.items()})
    assert estimate.memory(other, 1) == estimate.memory(plain, 1)


def test_a_sweep_decomposes_once(merge_with):
    merges = [merge_with("tsv_m", 1000, {"scale": i / 10}) for i in range(10)]
    one, ten = estimate.seconds(merges[:1], 1), estimate.seconds(merges, 1)
    assert one < ten < 2 * one
