"""SVC through the whole merge: after methods that come whole, in chunks or twice."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from espnet_merge.checkpoint import open_checkpoint, open_expert
from espnet_merge.merging import estimate
from espnet_merge.merging.config import read_config
from espnet_merge.merging.loop import run
from espnet_merge.merging.merge import Merge
from espnet_merge.merging.provenance import read_record
from espnet_merge.merging.replay import replay
from espnet_merge.merging.shards import join, run_part
from espnet_merge.methods import build_method
from tests.checkpoint.build import fine_tuned, whisper_tensors, write_checkpoint
from tests.methods._calibrated import calibrated
from tests.statistics_of import statistics_of

SVC = {"calibrate": "svc"}
EXPERTS = ("e1", "e2", "e3")
# How each looks at its tensors: an entry, a matrix, a whole tensor, the whole model.
METHODS = ["task_arithmetic", "soup", "tsv_m", "breadcrumbs", "ties", "karcher"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("calibrated")
    base = whisper_tensors()
    write_checkpoint(root / "base", base, vocabulary={"a": 0})
    for seed, name in enumerate(EXPERTS, 1):
        write_checkpoint(root / name, fine_tuned(base, seed))
    return root


def merge_of(root, method, params, output, experts=EXPERTS):
    return Merge(
        method=build_method(method, params),
        base=open_checkpoint(root / "base"),
        experts=[open_expert(root / name) for name in experts],
        output=output,
        compute_dtype="float64",
    )


def read(path):
    return {
        n: x.astype(float) for n, x in load_file(path / "model.safetensors").items()
    }


@pytest.mark.parametrize("method", METHODS)
def test_it_is_the_formula_on_what_the_method_writes(models, tmp_path, method):
    merges = [
        merge_of(models, method, params, tmp_path / name)
        for name, params in {"plain": {}, "svc": SVC}.items()
    ]
    run(merges, jobs=2)
    plain, svc, base, *experts = map(
        read, [tmp_path / "plain", tmp_path / "svc", models / "base"]
        + [models / name for name in EXPERTS]
    )  # fmt: skip
    changed = 0
    for name, value in base.items():
        expected = plain[name]
        if name.endswith(("_proj.weight", "fc1.weight", "fc2.weight")):
            deltas = [expert[name] - value for expert in experts]
            expected = value + calibrated(expected - value, deltas, 0.1)
            changed += 1
        np.testing.assert_allclose(svc[name], expected, atol=2e-5, err_msg=name)
    assert changed == 3
    # The same bytes with another number of threads, and from the record.
    record = read_record(tmp_path / "svc")
    assert record["params"].items() >= {"calibrate": "svc", "svc_alpha": 0.1}.items()
    assert "scipy" in record["versions"]
    replay(record, None, jobs=1)
    assert read_config(tmp_path / "svc" / "merge.yaml")["params"] == record["params"]


def test_parts_of_a_merge_by_ties_join_to_it(models, tmp_path):
    run([merge_of(models, "ties", SVC, tmp_path / "whole")])
    parts = merge_of(models, "ties", SVC, tmp_path / "parts")
    for number in (1, 2):
        run_part(parts, number, 2, 1, "cpu")
    join(tmp_path / "parts")
    one, two = (tmp_path / x / "model.safetensors" for x in ("whole", "parts"))
    assert one.read_bytes() == two.read_bytes()


def test_statistics_are_asked_of_the_method_below(models, tmp_path):
    places = statistics_of(models, "gram", "base", EXPERTS)
    merge = merge_of(models, "regmean", {**SVC, "statistics": places}, tmp_path / "out")
    assert merge.files
    run([merge])
    assert read_record(tmp_path / "out")["files"]


def test_the_estimate_knows_of_it(models, tmp_path):
    plain, svc = (
        merge_of(models, "task_arithmetic", params, tmp_path / "x")
        for params in ({}, SVC)
    )
    assert estimate.memory(svc, 1) > estimate.memory(plain, 1)
    assert estimate.seconds([svc], 1) > estimate.seconds([plain], 1)
