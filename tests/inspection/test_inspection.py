"""An expert is measured alike in every form in which it comes."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from espnet_merge.checkpoint import open_checkpoint, open_expert
from espnet_merge.inspection import labels, measure
from tests.checkpoint.build import LAYER, fine_tuned, whisper_tensors, write_checkpoint

NAME = f"{LAYER}fc1"


@pytest.fixture
def base(tmp_path):
    return write_checkpoint(tmp_path / "base", whisper_tensors())


def measured(base, *experts):
    return measure(open_checkpoint(base), [open_expert(e) for e in experts], rank=2)


def test_an_adapter_is_measured_as_the_model_it_makes(base, tmp_path):
    rng = np.random.default_rng(5)
    b, a = (rng.normal(0, 0.1, s).astype("f4") for s in ((16, 3), (3, 8)))
    adapter = tmp_path / "lora"
    adapter.mkdir()
    prefix = f"base_model.model.{NAME}"
    factors = {f"{prefix}.lora_A.weight": a, f"{prefix}.lora_B.weight": b}
    save_file(factors, adapter / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 3, "lora_alpha": 6, "target_modules": ["fc1"]}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    weights = whisper_tensors()
    weights[f"{NAME}.weight"] += 2 * b @ a
    model = write_checkpoint(tmp_path / "model", weights)
    other = write_checkpoint(tmp_path / "other", fine_tuned(whisper_tensors(), 1))

    total = measured(base, adapter, model, other).total
    norms = total.moments.norms
    assert norms[0] == pytest.approx(np.linalg.norm(2 * b @ a), rel=1e-5)
    assert norms[1] == pytest.approx(norms[0], rel=1e-5)
    assert total.moments.cosine[0, 1] == pytest.approx(1, abs=1e-5)
    for side in ("left", "right"):
        overlap = total.mean(side)
        assert overlap[0, 1] == pytest.approx(1, abs=1e-4)
        assert overlap[0, 2] == pytest.approx(overlap[1, 2], abs=1e-3)
    ranks = total.mean("stable_rank")
    assert ranks[0] == pytest.approx(ranks[1], rel=1e-4)


def test_half_precision_and_other_layouts_are_read_as_by_merge(base, tmp_path):
    weights = fine_tuned(whisper_tensors(), 1)
    plain = write_checkpoint(tmp_path / "plain", weights)
    turned = tmp_path / "turned"
    shutil.copytree(plain, turned)
    (turned / "model.safetensors").unlink()
    state = {k: torch.from_numpy(v) for k, v in weights.items()}
    state[f"{NAME}.weight"] = state[f"{NAME}.weight"].T.contiguous().T
    torch.save(state, turned / "pytorch_model.bin")
    moments = measured(base, plain, turned).total.moments
    assert moments.norms[0] == moments.norms[1]
    assert moments.conflict[0, 1] == 0
    assert moments.cosine[0, 1] == pytest.approx(1, abs=1e-12)


def test_a_tensor_of_several_pieces_is_summed_whole(base, tmp_path, monkeypatch):
    expert = write_checkpoint(tmp_path / "es", fine_tuned(whisper_tensors(), 1))
    whole = measured(base, expert).total.moments.norms
    monkeypatch.setattr("espnet_merge.inspection.inspection.CHUNK_ENTRIES", 7)
    assert measured(base, expert).total.moments.norms == pytest.approx(whole)


def test_labels_are_what_differs(tmp_path):
    paths = [tmp_path / "exp" / name / "model" for name in ("a", "b/c")]
    assert labels(paths) == ["a", "b/c"]
    assert labels([paths[0], paths[0]]) == ["a/model", "a/model"]


def test_directions_of_rounding_are_not_compared(tmp_path):
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.02, (96, 64)).astype("f4")
    shared, one, other = (rng.normal(size=(96, 1)) for _ in range(3))
    inputs = np.linalg.qr(rng.normal(size=(64, 4)))[0].T
    experts = [
        weights + 1e-3 * (shared @ inputs[:1] + own @ inputs[i : i + 1])
        for i, own in ((1, one), (2, other))
    ]
    base = write_checkpoint(tmp_path / "base", {f"{NAME}.weight": weights})
    found = {}
    for kind in (np.float32, np.float16):
        paths = [
            write_checkpoint(
                tmp_path / f"{kind.__name__}{i}", {f"{NAME}.weight": x.astype(kind)}
            )
            for i, x in enumerate(experts)
        ]
        opened = [open_expert(path) for path in paths]
        found[kind] = measure(open_checkpoint(base), opened, rank=8).total
    exact, rounded = found.values()
    # One of two inputs is common.
    assert exact.mean("right")[0, 1] == pytest.approx(0.5, abs=1e-3)
    assert rounded.mean("right")[0, 1] == pytest.approx(0.5, abs=0.02)
    ranks = exact.mean("stable_rank")
    np.testing.assert_allclose(rounded.mean("stable_rank"), ranks, rtol=0.02)
