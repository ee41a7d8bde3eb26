import hashlib
import json

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_torch

from espnet_merge.checkpoint import open_checkpoint
from espnet_merge.errors import InputError
from espnet_merge.merging import loop
from espnet_merge.merging.inputs import CHUNK_ENTRIES
from espnet_merge.merging.merge import Merge
from espnet_merge.methods import METHODS, build_method
from tests.checkpoint.build import fine_tuned, whisper_tensors, write_checkpoint
from tests.statistics_of import KINDS, statistics_of

# Methods that keep a single expert as it is, and what they must be told to do so.
ONE_EXPERT = {
    "soup": {},
    "karcher": {},
    "multi_slerp": {},
    "task_arithmetic": {"scale": 1.0},
    "lines": {"scale": 1.0, "beta": 0.0},
    "consensus": {"agreement": 1, "ratio": 0.0, "scale": 1.0},
    "emr": {},
    "ties": {"density": 1.0},
    "dare": {"density": 1.0, "scale": 1.0},
    "della": {"density": 1.0, "epsilon": 0.0},
    "breadcrumbs": {"density": 1.0, "gamma": 0.0, "scale": 1.0},
    "sce": {},
    "tsv_m": {},
    "boosted_tsv_m": {"beta": 1.0, "orthogonalise": "svd"},
    "lors": {"density": 1.0},
    "fisher": {},
    "regmean": {},
}


@pytest.fixture
def models(tmp_path):
    base = whisper_tensors()
    write_checkpoint(tmp_path / "base", base, vocabulary={"a": 0})
    for seed in (1, 2, 3):
        write_checkpoint(tmp_path / f"e{seed}", fine_tuned(base, seed))
    return tmp_path


def run(root, method, params=None, experts=None, **options):
    experts = experts or ["e1", "e2", "e3"][: METHODS[method].max_experts]
    params = dict(params or {})
    if method in KINDS:
        params["statistics"] = statistics_of(root, KINDS[method], "base", experts)
    output = root / options.pop("output", "out")
    loop.run(
        [
            Merge(
                method=build_method(method, params),
                base=open_checkpoint(root / "base"),
                experts=[open_checkpoint(root / name) for name in experts],
                output=output,
                **options,
            )
        ]
    )
    return output


def merge(*args, **options):
    return load_file(run(*args, **options) / "model.safetensors")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_what_no_expert_changed(models, method):
    merged, base = merge(models, method), whisper_tensors()
    assert merged.keys() == base.keys()
    moved = 0
    for name, value in base.items():
        assert (merged[name].shape, merged[name].dtype) == (value.shape, value.dtype)
        frozen = "embed_positions" in name or value.dtype.kind == "i"
        same = merged[name].tobytes() == value.tobytes()
        # The mean of equal values may differ from them in the last bit.
        assert same or not frozen or method == "soup"
        moved += not same
        np.testing.assert_allclose(merged[name], value, atol=1e-7 if frozen else 1)
    assert moved


@pytest.mark.parametrize("method", ONE_EXPERT)
def test_one_expert_with_everything_kept_is_itself(models, method):
    merged = merge(models, method, ONE_EXPERT[method], experts=["e1"])
    for name, value in load_file(models / "e1" / "model.safetensors").items():
        np.testing.assert_allclose(merged[name], value, rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_same_inputs_same_bytes(models, method):
    for output in ("one", "two"):
        merge(models, method, output=output)
    for file in sorted((models / "one").iterdir()):
        assert file.read_bytes() == (models / "two" / file.name).read_bytes()


def test_the_directory_is_complete_and_says_where_it_comes_from(models):
    merge(models, "ties", {"density": 0.5, "weights": [1, 2, 3]})
    out = models / "out"
    assert sorted(file.name for file in out.iterdir()) == [
        "README.md",
        "config.json",
        "merge.yaml",
        "model.safetensors",
        "tokenizer_config.json",
        "vocab.json",
    ]
    record = yaml.safe_load((out / "merge.yaml").read_text())
    assert record["method"] == "ties"
    assert record["params"] == {
        "density": 0.5,
        "scale": 1.0,
        "trim": "global",
        "consensus": "mean",
        "weights": [1.0, 2.0, 3.0],
    }
    weights = (models / "e2" / "model.safetensors").read_bytes()
    found = record["experts"][1]["sha256"]["model.safetensors"]
    assert found == hashlib.sha256(weights).hexdigest()
    assert record["versions"].keys() == {"espnet_merge", "numpy"}


def test_inputs_are_not_modified(models):
    files = sorted(models.glob("*/*"))
    before = [file.read_bytes() for file in files]
    for method in METHODS:
        merge(models, method, output=method)
    assert [file.read_bytes() for file in files] == before


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float16", 2e-4), ("bfloat16", 2e-3)]
)
def test_half_precision_output(models, dtype, tolerance):
    full = merge(models, "soup", output="full")
    run(models, "soup", dtype=dtype)
    half = load_torch(models / "out" / "model.safetensors")
    for name, value in full.items():
        kept = half[name].double().numpy()
        np.testing.assert_allclose(kept, value, rtol=tolerance * 4, atol=1e-6)
        assert str(half[name].dtype) in (f"torch.{dtype}", "torch.int64")
    assert (
        json.loads((models / "out" / "config.json").read_text())["torch_dtype"] == dtype
    )


def test_experts_may_be_stored_in_other_types(models):
    half = {
        name: value.astype(np.float16) if value.dtype == np.float32 else value
        for name, value in load_file(models / "e2" / "model.safetensors").items()
    }
    write_checkpoint(models / "e2", half)
    merged = merge(models, "task_arithmetic", {"scale": 0.5})
    assert {value.dtype.name for value in merged.values()} == {"float32", "int64"}


def test_pieces_join_into_the_whole(tmp_path):
    rng = np.random.default_rng(0)
    base = {"x": rng.normal(size=(3, CHUNK_ENTRIES - 7)).astype(np.float32)}
    experts = [{"x": base["x"] + np.float32(0.25 * i)} for i in (1, 2)]
    write_checkpoint(tmp_path / "base", base)
    for i, expert in enumerate(experts):
        write_checkpoint(tmp_path / f"e{i}", expert)
    merged = merge(tmp_path, "task_arithmetic", {"scale": 2.0}, ["e0", "e1"])["x"]
    np.testing.assert_allclose(merged, base["x"] + 1.5, atol=1e-6)


def test_parameters_by_patterns(models):
    scale = {"default": 0.5, "fc1": 2.0, r"layers\.0\.": 1.0, "(?i)CONV": 0}
    merged = merge(models, "task_arithmetic", {"scale": scale})
    plain = {
        value: merge(models, "task_arithmetic", {"scale": value}, output=str(value))
        for value in (0.0, 0.5, 1.0, 2.0)
    }
    for name, tensor in merged.items():
        value = 0.5
        if "layers.0." in name:
            value = 2.0 if "fc1" in name else 1.0
        value = 0.0 if "conv" in name else value
        assert tensor.tobytes() == plain[value][name].tobytes()
    record = yaml.safe_load((models / "out" / "merge.yaml").read_text())
    assert record["method"] == "task_arithmetic"
    assert record["params"] == {"scale": scale, "weights": None}
    assert list(record["params"]["scale"]) == list(scale)


def test_each_set_of_parameters_looks_at_the_whole_model(models):
    density = {"default": 0.1, "fc": 0.6}
    merged = merge(models, "ties", {"trim": "global", "density": density})
    for value in (0.1, 0.6):
        params = {"trim": "global", "density": value}
        plain = merge(models, "ties", params, output=str(value))
        for name, tensor in merged.items():
            if ("fc" in name) == (value == 0.6):
                assert tensor.tobytes() == plain[name].tobytes()


def test_statistics_of_each_set_of_parameters_are_checked_and_recorded(models):
    floor = {"conv": 0.1, "default": 1e-6}
    merge(models, "fisher", {"floor": floor}, experts=["e1", "e2"])
    record = yaml.safe_load((models / "out" / "merge.yaml").read_text())
    assert [path.split("-")[-1] for path in record["files"]] == [
        f"{name}/statistics.safetensors" for name in ("e1", "e2")
    ]
    places = statistics_of(models, "fisher", "base", ["e2", "e1"])
    params = {"statistics": {"conv": places, "default": places[::-1]}}
    inputs = [open_checkpoint(models / name) for name in ("base", "e1", "e2")]
    with pytest.raises(InputError, match="statistics of another model"):
        Merge(
            method=build_method("fisher", params),
            base=inputs[0],
            experts=inputs[1:],
            output=models / "refused",
        ).check_weights()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_patterns(models, method):
    params = build_method(method, {}).params.items()
    name, value = next((k, v) for k, v in params if k != "statistics")
    merge(models, method, {name: {"encoder": value}}, output="layered")
    merge(models, method, output="plain")
    for file in ("layered", "plain"):
        assert (models / file / "model.safetensors").is_file()
    layered, plain = (models / x / "model.safetensors" for x in ("layered", "plain"))
    assert layered.read_bytes() == plain.read_bytes()


def test_a_method_knows_the_layer(tmp_path):
    names = [f"model.{s}.layers.{i}.fc1.weight" for s, i in ("e0", "e1", "e2", "d0")]
    names.append("model.e.conv1.weight")
    base = {name: np.zeros((2, 2), np.float32) for name in names}
    write_checkpoint(tmp_path / "base", base)
    ones = {name: np.ones((2, 2), np.float32) for name in names}
    write_checkpoint(tmp_path / "e1", ones)
    merged = merge(tmp_path, "lines", {"scale": 1, "beta": 1}, experts=["e1"])
    scales = [float(merged[name][0, 0]) for name in names]
    assert scales == [1.0, 1.5, 2.0, 1.0, 1.0]


def test_a_pattern_that_matches_nothing_is_refused(models):
    with pytest.raises(InputError, match="scale: the pattern 'enc:' matches no"):
        merge(models, "iso_c", {"scale": {"enc:": 1.0}})


# Methods that see no whole tensor, and parameters that make them need its numbers.
IN_PIECES = [
    ("dare", {}),
    ("della", {}),
    ("slerp", {"t": 0.3}),
    ("karcher", {}),
    ("multi_slerp", {}),
    ("multi_slerp", {"on": "deltas"}),
    ("model_stock", {}),
    ("model_stock", {"filter_wise": True}),
    ("ties", {"trim": "tensor"}),
    ("ties", {"trim": "global"}),
    ("breadcrumbs", {"density": 0.9, "gamma": 0.1}),
    ("breadcrumbs", {"sign_consensus": True}),
    ("sce", {"density": 0.5}),
    ("pcb", {}),
]


@pytest.mark.parametrize(("name", "params"), IN_PIECES)
def test_pieces_are_merged_as_the_whole(tmp_path, monkeypatch, name, params):
    rng = np.random.default_rng(0)
    base = {"x": np.ones((9, 4, 6), np.float32), "y": np.zeros(70, np.float32)}
    write_checkpoint(tmp_path / "base", base)
    for expert in ("e1", "e2"):
        # Eighths, so that many entries are tied.
        moved = {n: v + rng.integers(-4, 10, v.shape) / 8 for n, v in base.items()}
        moved = {n: v.astype(np.float32) for n, v in moved.items()}
        write_checkpoint(tmp_path / expert, moved)
    whole = merge(tmp_path, name, params, ["e1", "e2"], output="whole")
    monkeypatch.setattr("espnet_merge.merging.inputs.CHUNK_ENTRIES", 50)
    chunks = merge(tmp_path, name, params, ["e1", "e2"], output="pieces")
    for tensor, value in whole.items():
        assert (value != base[tensor]).any()
        np.testing.assert_allclose(chunks[tensor], value, rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("method", METHODS)
def test_nan_and_inf_are_named_and_leave_nothing(models, method, value):
    tensors = load_file(models / "e2" / "model.safetensors")
    tensors["model.encoder.layers.0.fc1.weight"][3, 1] = value
    write_checkpoint(models / "e2", tensors)
    message = "e2.model.safetensors: tensor model.encoder.layers.0.fc1.weight holds NaN"
    with pytest.raises(InputError, match=message):
        merge(models, method)
    assert sorted(path.name for path in models.iterdir()) == ["base", "e1", "e2", "e3"]


def test_large_finite_values_are_no_infinities(models):
    tensors = load_file(models / "e2" / "model.safetensors")
    tensors["model.encoder.layers.0.fc1.weight"][:] = 3e38
    write_checkpoint(models / "e2", tensors)
    merged = merge(models, "soup", {"weights": [0, 1, 0]})
    for name, value in tensors.items():
        np.testing.assert_array_equal(merged[name], value, err_msg=name)


@pytest.mark.parametrize(
    ("scale", "dtype"), [(1e8, "float16"), (1e41, "float32"), (1e42, "bfloat16")]
)
def test_overflow_of_the_output_type_is_refused(models, scale, dtype):
    with pytest.raises(InputError, match="beyond the type of the output"):
        merge(
            models,
            "task_arithmetic",
            {"scale": scale},
            dtype=dtype,
            compute_dtype="float64",
        )
    assert not (models / "out").exists()


def test_a_copy_of_the_base_is_no_expert(models):
    write_checkpoint(models / "copy", whisper_tensors(), {"note": "other bytes"})
    with pytest.raises(InputError, match="copy: holds the same weights as the base"):
        merge(models, "soup", experts=["e1", "copy"])
    with pytest.raises(InputError, match="an expert is the base itself"):
        merge(models, "soup", experts=["e1", "base"])


def test_global_trim_over_the_whole_model(models):
    merged = merge(models, "ties", {"trim": "global", "density": 0.1}, ["e1"])
    base = whisper_tensors()
    e1 = load_file(models / "e1" / "model.safetensors")
    names = [name for name, value in base.items() if value.dtype.kind == "f"]
    moved = sum(int((merged[name] != base[name]).sum()) for name in names)
    total = sum(base[name].size for name in names)
    assert moved == int(0.1 * total) + 1
    deltas = np.concatenate([np.abs(e1[n] - base[n]).ravel() for n in names])
    kept = np.concatenate([(merged[n] != base[n]).ravel() for n in names])
    assert deltas[kept].min() > deltas[~kept].max()


def test_overwrites_only_a_merge(models):
    first = merge(models, "soup")
    with pytest.raises(InputError, match="exists; give another --output"):
        merge(models, "soup")
    again = merge(models, "soup", {"weights": [1, 0, 0]}, overwrite=True)
    assert any(first[name].tobytes() != again[name].tobytes() for name in first)
    (models / "notes").mkdir()
    with pytest.raises(InputError, match="not a result of this command"):
        merge(models, "soup", output="notes", overwrite=True)
    with pytest.raises(InputError, match="output and input are one directory"):
        merge(models, "soup", output="e1", overwrite=True)
