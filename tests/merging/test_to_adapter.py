"""Adapters merged into an adapter do what the merged model does."""

import json
import shutil

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from espnet_merge.__main__ import main
from espnet_merge.checkpoint import open_expert
from espnet_merge.checkpoint.factored import Factored
from espnet_merge.linalg.decompose import cut
from espnet_merge.lora.adapter import add_adapter, load_adapter, save_adapter
from espnet_merge.whisper.model import load_whisper
from tests.formats import write_fine_tuned

CONFS = (
    {"r": 2},
    {"r": 3, "use_rslora": True, "target_modules": ["q_proj", "fc1", "out_proj"]},
)


@pytest.fixture(scope="module")
def adapters(micro_whisper, tmp_path_factory):
    root = tmp_path_factory.mktemp("adapters")
    for number, conf in enumerate(CONFS):
        model = add_adapter(load_whisper(micro_whisper), conf)
        torch.manual_seed(number)
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(parameter, std=0.1)
        (root / str(number)).mkdir()
        save_adapter(model, root / str(number))
    return [root / str(number) for number in range(len(CONFS))]


def run(base, experts, output, method, *extra):
    main(
        [
            "merge",
            *("--base", str(base), "--output", str(output), "--method", method),
            *("--experts", *map(str, experts), *extra),
        ]
    )
    return output


def applied(base, adapter):
    """Return the weights of the base with the adapter, as peft merges it."""
    model = load_adapter(load_whisper(base), adapter)
    return model.merge_and_unload().state_dict()


CASES = [
    ("task_arithmetic", ("--weights", "0.5", "-2"), "exact"),
    ("soup", ("--weights", "1", "3"), "exact"),
    ("task_arithmetic", ("--weights", "0.5", "-2"), "5"),
    ("tsv_m", (), "64"),
    ("tsv_m", (), "exact"),
    ("tsv_m", ("--calibrate", "svc"), "exact"),
    ("task_arithmetic", ("--calibrate", "svc"), "64"),
    ("iso_cts", (), "exact"),
    ("boosted_tsv_m", ("--set", "scale=2"), "exact"),
    ("knots", (), "exact"),
    ("tsv_m", ("--set", "spectral=all_2d"), "exact"),
    ("ties", ("--set", "density=0.5"), "64"),
]


@pytest.mark.parametrize(("method", "options", "rank"), CASES)
def test_the_adapter_is_the_merged_model(
    micro_whisper, adapters, tmp_path, method, options, rank
):
    model = run(micro_whisper, adapters, tmp_path / "model", method, *options)
    options = (*options, "--output-adapter", rank)
    adapter = run(micro_whisper, adapters, tmp_path / "adapter", method, *options)
    assert sorted(file.name for file in adapter.iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "merge.yaml",
    ]
    expected = load_file(model / "model.safetensors")
    found = applied(micro_whisper, adapter)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=2e-6, atol=2e-6)
    again = PeftModel.from_pretrained(load_whisper(micro_whisper), adapter)
    again = again.merge_and_unload().state_dict()
    assert all(torch.equal(again[name], found[name]) for name in found)


def test_ranks_add_up_and_are_padded(micro_whisper, adapters, tmp_path):
    extra = ("--output-adapter", "exact")
    out = run(micro_whisper, adapters, tmp_path / "o", "task_arithmetic", *extra)
    merged = open_expert(out)
    assert {merged.rank(name) for name in merged.scales} == {5}
    assert set(merged.scales.values()) == {1}
    assert merged.base_sha256 == open_expert(adapters[0]).base_sha256


@pytest.mark.parametrize("rank", ["exact", "2"])
def test_nan_and_whole_models_are_refused(
    micro_whisper, adapters, tmp_path, capsys, rank
):
    bad = shutil.copytree(adapters[0], tmp_path / "bad")
    state = load_file(bad / "adapter_model.safetensors")
    next(iter(state.values()))[0, 0] = float("nan")
    save_file(state, bad / "adapter_model.safetensors")
    for expert, message in (
        (bad, "holds NaN or Inf"),
        (write_fine_tuned(micro_whisper, tmp_path / "f", 1), "takes adapters only"),
    ):
        with pytest.raises(SystemExit):
            run(
                micro_whisper,
                [adapters[1], expert],
                tmp_path / "o",
                "soup",
                *("--output-adapter", rank),
            )
        assert message in capsys.readouterr().err
        assert not (tmp_path / "o").exists()


def test_a_lower_rank_is_the_best_of_that_rank(
    micro_whisper, adapters, tmp_path, capsys
):
    extra = ("--output-adapter", "1", "--set", "scale=1")
    out = run(micro_whisper, adapters, tmp_path / "o", "task_arithmetic", *extra)
    name = "model.encoder.layers.0.fc1.weight"
    exact = sum(open_expert(path).delta(name).dense() for path in adapters)
    values = np.linalg.svd(exact.astype(float), compute_uv=False)
    error = np.linalg.norm(open_expert(out).delta(name).dense() - exact)
    np.testing.assert_allclose(error, np.linalg.norm(values[1:]), rtol=1e-5)
    assert "rank 1 keeps" in capsys.readouterr().out


def test_the_base_is_named_as_others_find_it(micro_whisper, adapters, tmp_path):
    def name_in(directory):
        config = json.loads((directory / "adapter_config.json").read_text())
        return config["base_model_name_or_path"]

    copies = [shutil.copytree(x, tmp_path / f"a{i}") for i, x in enumerate(adapters)]
    base = shutil.copytree(micro_whisper, tmp_path / "base")
    fetched = {"source": "me/own", "origin": "hub:me/own"}
    for number, (said, record, expected) in enumerate(
        (
            ("/home/me/base", {}, None),
            ("exp/base", {}, None),
            ("openai/whisper-tiny", {}, "openai/whisper-tiny"),
            ("exp/base", fetched, "me/own"),
        )
    ):
        for copy in copies:
            file = copy / "adapter_config.json"
            config = json.loads(file.read_text()) | {"base_model_name_or_path": said}
            file.write_text(json.dumps(config))
        (base / "fetch.json").write_text(json.dumps(record))
        extra = ("--output-adapter", "exact")
        out = run(base, copies, tmp_path / f"o{number}", "soup", *extra)
        assert name_in(out) == expected


def test_factors_and_their_product_are_cut_alike():
    rng = np.random.default_rng(0)
    delta = Factored(rng.normal(size=(5, 3)), rng.normal(size=(3, 7)), 0.5)
    one, kept, whole = cut(delta, 2)
    other, kept_too, whole_too = cut(delta.dense(), 2)
    np.testing.assert_allclose(one.dense(), other.dense(), atol=1e-12)
    np.testing.assert_allclose((kept, whole), (kept_too, whole_too))
    np.testing.assert_allclose(whole, np.linalg.norm(delta.dense()) ** 2)


@pytest.mark.parametrize(
    ("method", "rank", "message"),
    [
        ("ties", "exact", "needs a method that sums the deltas"),
        ("lors", "exact", "has more rank than the experts together"),
        ("soup", "0", "must lie in [1, 64], got 0"),
        ("soup", "65", "must lie in [1, 64], got 65"),
        ("soup", "-3", "takes a rank or 'exact', got '-3'"),
        ("soup", "half", "takes a rank or 'exact', got 'half'"),
    ],
)
def test_bad_ranks(micro_whisper, adapters, tmp_path, capsys, method, rank, message):
    extra = (f"--output-adapter={rank}",)
    with pytest.raises(SystemExit) as stop:
        run(micro_whisper, adapters, tmp_path / "o", method, *extra)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rank", ["exact", "3"])
@pytest.mark.parametrize("weights", [("0.7", "0.7"), ()])
def test_an_adapter_cannot_scale_its_base(
    micro_whisper, adapters, tmp_path, capsys, rank, weights
):
    extra = (f"--output-adapter={rank}", "--set", "normalize=false")
    given = ("--weights", *weights) if weights else ()
    with pytest.raises(SystemExit):
        run(micro_whisper, adapters, tmp_path / "o", "soup", *extra, *given)
    assert "needs weights that sum to 1" in capsys.readouterr().err
    run(
        micro_whisper,
        adapters,
        tmp_path / "o",
        "soup",
        *extra,
        "--weights",
        "0.3",
        "0.7",
    )
    assert (tmp_path / "o").is_dir()


def test_a_calibrated_sum_is_no_sum(micro_whisper, adapters, tmp_path, capsys):
    extra = ("--output-adapter=exact", "--calibrate=svc")
    with pytest.raises(SystemExit):
        run(micro_whisper, adapters, tmp_path / "o", "task_arithmetic", *extra)
    assert "needs a method that sums the deltas" in capsys.readouterr().err


def test_replay_looks_at_the_stored_adapter(micro_whisper, adapters, tmp_path, capsys):
    rank = ("--output-adapter", "2")
    out = run(micro_whisper, adapters, tmp_path / "out", "soup", *rank)
    main(["replay", str(out), "--stored"])
    assert "the same bytes are stored" in capsys.readouterr().out
    file = out / "adapter_model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(SystemExit):
        main(["replay", str(out)])
    assert "the tensors are not those of its merge.yaml" in capsys.readouterr().err


def test_a_record_is_a_configuration(micro_whisper, adapters, tmp_path):
    first = run(
        *(micro_whisper, adapters, tmp_path / "out", "soup", "--output-adapter", "2")
    )
    words = ["--config", str(first / "merge.yaml"), "--output", str(tmp_path / "again")]
    main(["merge", *words])
    again = load_file(tmp_path / "again" / "adapter_model.safetensors")
    same = load_file(first / "adapter_model.safetensors")
    assert same.keys() == again.keys()
    assert all(torch.equal(same[name], again[name]) for name in same)
