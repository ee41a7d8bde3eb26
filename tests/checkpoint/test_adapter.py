"""Adapters as experts: the same weights as peft makes of them, or refused."""

import json
import shutil
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from espnet_merge.__main__ import main
from espnet_merge.checkpoint import open_checkpoint, open_expert
from espnet_merge.checkpoint.factored import Factored
from espnet_merge.errors import InputError
from espnet_merge.lora.adapter import add_adapter, save_adapter
from espnet_merge.merging.inputs import Inputs
from espnet_merge.merging.loop import run
from espnet_merge.merging.merge import Merge
from espnet_merge.methods import Method, build_method
from espnet_merge.whisper.model import load_whisper
from tests.formats import write_fine_tuned
from tests.micro import write_micro_whisper

CONFS = {
    "plain": {"r": 2},
    "rank-stabilised": {"r": 3, "use_rslora": True},
    "by pattern": {"r": 2, "rank_pattern": {"fc1": 4}, "alpha_pattern": {"fc1": 7}},
}
TENSOR = "model.encoder.layers.0.self_attn.q_proj.weight"


def train(base, conf, directory):
    """Save an adapter that acts; return the model that carries it."""
    model = add_adapter(load_whisper(base), conf)
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    directory.mkdir(parents=True, exist_ok=True)
    save_adapter(model, directory)
    return model


@pytest.fixture(scope="module")
def trained(micro_whisper, tmp_path_factory):
    """Configuration to adapter directory and the weights that peft merges it to."""
    root, result = tmp_path_factory.mktemp("adapters"), {}
    for number, (kind, conf) in enumerate(CONFS.items()):
        model = train(micro_whisper, conf, root / str(number))
        merged = model.merge_and_unload().state_dict()
        result[kind] = root / str(number), merged
    return result


@pytest.fixture
def copy(trained, tmp_path):
    return shutil.copytree(trained["plain"][0], tmp_path / "adapter")


def merge(base, experts, output, method="soup", **params):
    run(
        [
            Merge(
                method=build_method(method, params),
                base=open_checkpoint(base),
                experts=[open_expert(expert) for expert in experts],
                output=output,
            )
        ]
    )
    return load_file(output / "model.safetensors")


WHOLE = {"soup": {}, "task_arithmetic": {"scale": 1.0}, "lors": {"density": 1.0}}


@pytest.mark.parametrize(("method", "params"), WHOLE.items())
@pytest.mark.parametrize("kind", CONFS)
def test_merged_alone_it_is_what_peft_makes(
    micro_whisper, trained, tmp_path, kind, method, params
):
    adapter, expected = trained[kind]
    merged = merge(micro_whisper, [adapter], tmp_path / "out", method, **params)
    base = load_file(micro_whisper / "model.safetensors")
    assert any(not torch.equal(merged[name], base[name]) for name in base)
    for name, value in merged.items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-6)


def test_it_merges_with_full_models(micro_whisper, trained, tmp_path):
    adapter, merged = trained["plain"]
    full = write_fine_tuned(micro_whisper, tmp_path / "full", 1)
    found = merge(micro_whisper, [adapter, full], tmp_path / "out")
    for name, value in load_file(full / "model.safetensors").items():
        mean = (value + merged[name]) / 2
        torch.testing.assert_close(found[name], mean, rtol=0, atol=1e-6)


def test_bin_and_checkpoints_of_the_trainer_are_the_same(
    micro_whisper, trained, copy, tmp_path
):
    directory = trained["plain"][0]
    weights = load_file(directory / "adapter_model.safetensors")
    (copy / "adapter_model.safetensors").unlink()
    torch.save(weights, copy / "adapter_model.bin")
    exp = tmp_path / "exp"
    exp.mkdir()
    state = {
        "network." + name.replace(".weight", ".default.weight"): value
        for name, value in weights.items()
    }
    torch.save(state, exp / "3epoch.pth")
    settings = {"lora": True, "lora_conf": {"r": 2}}
    (exp / "config.yaml").write_text(yaml.safe_dump(settings))
    one = open_expert(directory)
    for other in (open_expert(copy), open_expert(exp / "3epoch.pth")):
        assert other.scales == one.scales
        for name in one.scales:
            assert np.array_equal(other.delta(name).dense(), one.delta(name).dense())
    (exp / "config.yaml").unlink()
    with pytest.raises(InputError, match=r"config.yaml: must hold lora_conf"):
        open_expert(exp / "3epoch.pth")


def test_a_checkpoint_of_the_trainer_names_its_base(
    micro_whisper, trained, tmp_path, capsys
):
    weights = load_file(trained["plain"][0] / "adapter_model.safetensors")
    state = {
        "network." + name.replace(".weight", ".default.weight"): value
        for name, value in weights.items()
    }
    expert = tmp_path / "exp" / "3epoch.pth"
    expert.parent.mkdir()
    torch.save(state, expert)
    other = write_fine_tuned(micro_whisper, tmp_path / "other", 3)
    for named, base, accepted in (
        (micro_whisper, micro_whisper, True),
        (micro_whisper, other, False),
        (tmp_path / "gone", other, True),  # nobody can tell
    ):
        settings = {"whisper": str(named), "lora_conf": {"r": 2}}
        (expert.parent / "config.yaml").write_text(yaml.safe_dump(settings))
        words = ["--base", base, "--experts", expert, "--output", tmp_path / "out"]
        words += ["--method", "soup", "--overwrite"]
        if accepted:
            main(["merge", *map(str, words)])
        else:
            with pytest.raises(SystemExit):
                main(["merge", *map(str, words)])
            assert "was trained on another base" in capsys.readouterr().err


def test_a_checkpoint_of_the_trainer_that_is_no_plain_lora(tmp_path):
    module = "network.base_model.model.model.encoder.layers.0.fc1"
    state = {
        f"{module}.lora_A.default.weight": torch.ones(2, 8),
        f"{module}.lora_B.default.weight": torch.ones(8, 2),
        f"{module}.lora_magnitude_vector.default.weight": torch.ones(8),
    }
    torch.save(state, tmp_path / "3epoch.pth")
    settings = {"lora": True, "lora_conf": {"r": 2, "use_dora": True}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(InputError, match="DoRA rescales the weights of the base"):
        open_expert(tmp_path / "3epoch.pth")


@dataclass(frozen=True)
class TakesFactors(Method):
    factored: ClassVar[bool] = True

    def is_matrix(self, info):
        return len(info.shape) == 2

    def __call__(self, tensors, info):
        return tensors[0]


def test_a_method_may_ask_for_the_factors(micro_whisper, trained):
    adapter = open_expert(trained["plain"][0])
    base = open_checkpoint(micro_whisper)
    inputs = Inputs(base, [adapter], "float64")
    ((_, (delta,)),) = inputs.parts(TakesFactors(), TENSOR)
    assert isinstance(delta, Factored)
    assert delta.b.shape == (64, 2)
    assert delta.shape == (64, 64)
    assert delta.a.dtype == "float64"
    assert delta.scale == 32
    for _, (untouched,) in inputs.parts(TakesFactors(), "model.encoder.conv1.weight"):
        assert not untouched.any()


def test_a_piece_of_the_product_is_that_piece():
    rng = np.random.default_rng(0)
    delta = Factored(rng.normal(size=(5, 2)), rng.normal(size=(2, 7)), 3.0)
    whole = delta.dense().ravel()
    for chunk in (slice(0, 4), slice(9, 23), slice(30, 99), slice(None)):
        np.testing.assert_allclose(delta.chunk(chunk), whole[chunk])


def test_another_base_is_refused(trained, tmp_path):
    other = write_micro_whisper(tmp_path / "other", seed=5)
    with pytest.raises(InputError, match="was trained on another base"):
        merge(other, [trained["plain"][0]], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_adapter_is_no_base(trained):
    with pytest.raises(InputError, match="an adapter is no base"):
        open_checkpoint(trained["plain"][0])


def edit(**changes):
    def change(copy):
        path = copy / "adapter_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def weights(change):
    def rewrite(copy):
        path = copy / "adapter_model.safetensors"
        state = load_file(path)
        change(state)
        save_file(state, path)

    return rewrite


PREFIX = "base_model.model." + TENSOR.removesuffix(".weight")


def lose(name):
    return weights(lambda state: state.pop(name))


def add(name, *shape):
    return weights(lambda state: state.update({name: torch.zeros(shape)}))


def zero(state):
    for name, value in state.items():
        if "lora_B" in name:
            value.zero_()


def dora(copy):
    edit(use_dora=True)(copy)
    add(f"{PREFIX}.lora_magnitude_vector", 64)(copy)


BAD = {
    "dora": (dora, "DoRA rescales"),
    "half a dora": (edit(use_dora=True), "use_dora=True promises more"),
    "modules": (edit(modules_to_save=["layer_norm"]), r"layer_norm'\] promises more"),
    "biases": (edit(bias="lora_only"), "bias='lora_only' promises more"),
    "another rank": (edit(r=16), "states rank 16 of .*, its weights have 2"),
    "no rank": (edit(r=0), "states rank 0 of .*, its weights have 2"),
    "after tokens": (edit(alora_invocation_tokens=[1]), "behind certain tokens alone"),
    "averages": (edit(use_qalora=True), "sees averages of its inputs"),
    "tomorrow's": (edit(use_qux=True), "use_qux=True is no option .* known here"),
    "no scale": (edit(lora_alpha=0), "holds the same weights as the base"),
    "transposed": (edit(fan_in_fan_out=True), "transposed"),
    "pissa": (edit(init_lora_weights="pissa_niter_4"), "moves part of the base"),
    "other kind": (edit(peft_type="IA3"), "peft_type must be LORA, got 'IA3'"),
    "no alpha": (edit(lora_alpha=None), "lora_alpha must be a number"),
    "no weights": (
        lambda copy: (copy / "adapter_model.safetensors").unlink(),
        "a PEFT adapter needs adapter_model.safetensors",
    ),
    "half": (lose(f"{PREFIX}.lora_B.weight"), "needs A .* and B .* and None"),
    "whole module": (
        add("base_model.model.proj_out.weight", 3, 64),
        "proj_out.weight of shape .* is no factor",
    ),
    "magnitudes": (add(f"{PREFIX}.lora_magnitude_vector", 64), "is no factor"),
    "ranks": (add(f"{PREFIX}.lora_B.weight", 64, 3), r"got \[2, 64\] and \[64, 3\]"),
    "shape": (add(f"{PREFIX}.lora_A.weight", 2, 9), r"shape \[64, 9\], which is"),
    "layer": (
        weights(
            lambda state: state.update(
                {
                    name.replace("layers.0", "layers.7"): value.clone()
                    for name, value in state.items()
                }
            )
        ),
        "layers.7.* which is not in it",
    ),
    "does nothing": (weights(zero), "holds the same weights as the base"),
}


def test_options_that_are_off_or_change_nothing_are_accepted(
    micro_whisper, copy, trained, tmp_path
):
    edit(
        option_of_tomorrow=None,
        another={},
        peft_version="9.9",
        bias="none",
        modules_to_save=[],
        init_lora_weights="gaussian",
        exclude_modules=["out_proj"],
    )(copy)
    merged = merge(micro_whisper, [copy], tmp_path / "out")
    for name, value in merged.items():
        expected = trained["plain"][1][name]
        torch.testing.assert_close(value, expected, rtol=0, atol=1e-6)


def fetched(model, origin):
    (model / "fetch.json").write_text(json.dumps({"origin": origin}))
    return model


def nameless(copy):
    """Let the weights not say the digest of their base, as those of others do not."""
    weights(lambda state: None)(copy)


def test_another_base_by_name_is_refused(micro_whisper, copy, tmp_path):
    model = shutil.copytree(micro_whisper, tmp_path / "model")
    edit(base_model_name_or_path="openai/whisper-large-v2")(copy)
    for origin in ("hub:openai/whisper-large-v3", "hub:me/whisper-es"):
        fetched(model, origin)
        merge(model, [copy], tmp_path / f"of-{origin[-2:]}")  # the digest is right
    nameless(copy)
    message = "trained on openai/whisper-large-v2.* is me/whisper-es; give that base"
    with pytest.raises(InputError, match=message):
        merge(model, [copy], tmp_path / "out")
    for origin in ("hub:Mirror/Whisper-Large-v2", "packages", str(model)):
        merge(fetched(model, origin), [copy], tmp_path / str(len(origin)))
    fetched(model, "hub:openai/whisper-large-v3")
    edit(base_model_name_or_path="exp/base")(copy)
    merge(model, [copy], tmp_path / "named-by-a-path")


def test_an_adapter_that_is_given_twice_is_refused(
    micro_whisper, trained, copy, tmp_path
):
    one = trained["plain"][0]
    with pytest.raises(InputError, match=r"holds the same weights as .*; an expert"):
        merge(micro_whisper, [one, trained["by pattern"][0], copy], tmp_path / "out")
    edit(lora_alpha=1)(copy)
    merge(micro_whisper, [one, copy], tmp_path / "out")


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_adapter_is_refused(micro_whisper, copy, tmp_path, kind):
    change, message = BAD[kind]
    change(copy)
    with pytest.raises(InputError, match=message) as error:
        merge(micro_whisper, [copy], tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()
