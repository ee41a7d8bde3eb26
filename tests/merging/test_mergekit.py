"""mergekit's YAML: the methods whose numbers ``tests/golden`` has from mergekit."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from espnet_merge.errors import InputError
from espnet_merge.merging.config import read_config
from espnet_merge.methods import build_method

GOLDEN = Path(__file__).parents[1] / "golden" / "references.json"
REFERENCES = json.loads(GOLDEN.read_text())
MODELS = ("e1", "e2", "e3")


def text(method, weights=None, base="base", of_each=None, **common):
    """Return a file of mergekit's for three experts, the base among the models."""
    models = [
        {"model": name, "parameters": {**(of_each or {}), "weight": weight}}
        if weights
        else {"model": name}
        for name, weight in zip(MODELS, weights or MODELS, strict=True)
    ]
    models += [{"model": base}] if base else []
    said = {"merge_method": method, "models": models, "parameters": common}
    return said | ({"base_model": base} if base else {})


# Name in tests/golden, of numbers that mergekit made -> a file that asks it for them.
FILES = {
    "linear-uniform": text("linear", (1, 1, 1), base=None),
    "linear-weighted": text("linear", (1.0, 0.5, 0.25), base=None),
    "linear-raw": text("linear", (0.5, 0.4, 0.3), base=None, normalize=False),
    "task_arithmetic-uniform": text("task_arithmetic", (0.4, 0.4, 0.4)),
    "task_arithmetic-weighted": text(
        "task_arithmetic", (0.5, 0.3, 0.2), **{"lambda": 0.8}
    ),
    "ties_mergekit-d0.2": text("ties", (1, 1, 1), of_each={"density": 0.2}),
    "ties_mergekit-d0.5": text("ties", weight=1, density=0.5, int8_mask=True),
    "ties_mergekit-d0.2-sum": text(
        "ties", (0.3, 0.3, 0.3), density=0.2, normalize=False
    ),
    "ties_mergekit-d0.5-weighted": text(
        "ties", (0.6, 0.3, 0.1), density=0.5, **{"lambda": 0.9}
    ),
    "dare_ties-sum": text("dare_ties", (0.5, 0.3, 0.2), **{"lambda": 0.9}),
    "dare_ties-mean": text(
        "dare_ties", (0.5, 0.3, 0.2), normalize=True, **{"lambda": 0.9}
    ),
    "karcher": text("karcher", base=None),
    "multislerp": text("multislerp", (1, 1, 1), base=None),
    "multislerp-delta": text("multislerp", (0.5, 0.3, 0.2)),
    "model_stock": text("model_stock"),
    "model_stock-filterwise": text("model_stock", filter_wise=True),
    "breadcrumbs": text("breadcrumbs", (0.5, 0.5, 0.5), of_each={"density": 0.9}),
    "breadcrumbs_ties": text("breadcrumbs_ties", weight=0.5, density=0.5, gamma=0.05),
    "sce-top0.3": text("sce", select_topk=0.3),
    "ram": text("ram", epsilon=3e-3),
    "ramplus_tl": text("ramplus_tl", epsilon=3e-3),
}


@pytest.fixture
def read(tmp_path):
    def read(said):
        file = tmp_path / "m.yaml"
        file.write_text(yaml.safe_dump(said, sort_keys=False))
        return read_config(file)

    return read


def made(said):
    return build_method(said["method"], said["params"])


@pytest.mark.filterwarnings("ignore::espnet_merge.errors.InputWarning")
@pytest.mark.parametrize("reference", FILES)
def test_it_computes_what_mergekit_computes(read, reference):
    case, said = REFERENCES[reference], read(FILES[reference])
    assert case["source"].startswith("arcee-ai/mergekit")
    # Ones are what no weights are.
    ones = {"weights": [1, 1, 1]} if "weights" in said["params"] else {}
    assert made(said) == build_method(case["method"], ones | case["params"])
    assert said["experts"] == list(MODELS)
    assert said.get("base") == FILES[reference].get("base_model")


def test_slerp_begins_at_its_base(read):
    """So mergekit's base is the first of the two; ours, of both, is none of them."""
    said = text("slerp", base=None, t=0.35) | {"base_model": "e2"}
    del said["models"][2]
    params = {"t": 0.35}
    assert read(said) == {"method": "slerp", "params": params, "experts": ["e2", "e1"]}


def test_nuslerp_is_of_two_task_vectors(read):
    case = REFERENCES["nuslerp-delta"]
    said = text("nuslerp", (0.7, 0.3, 1))
    del said["models"][2]
    read_back = read(said)
    assert made(read_back) == build_method(case["method"], case["params"])
    assert (read_back["experts"], read_back["base"]) == (case["experts"], "base")


def test_karcher_counts_the_base(read):
    said = read(text("karcher"))
    assert said["experts"] == [*MODELS, "base"]
    assert "base" not in said


@pytest.mark.parametrize("normalize", [True, False])
def test_linear_counts_the_base_that_has_a_weight(read, normalize):
    said = text("linear", (1, 2, 3), normalize=normalize)
    said["models"][-1]["parameters"] = {"weight": 4}
    if not normalize:
        with pytest.raises(InputError, match=r"weight must sum to 1, .*; got 10"):
            read(said)
        for entry in said["models"]:
            entry["parameters"]["weight"] /= 10
    base, *experts = np.arange(4.0)[:, None] ** 2
    merged = made(read(said))([expert - base for expert in experts])
    expected = 0.4 * base + 0.1 * experts[0] + 0.2 * experts[1] + 0.3 * experts[2]
    np.testing.assert_allclose(base + merged, expected)


@pytest.mark.filterwarnings("ignore::espnet_merge.errors.InputWarning")
@pytest.mark.parametrize(("normalize", "expected"), [(False, 1.5), (True, 3.0)])
def test_dare_ties_elects_a_sign(read, normalize, expected):
    """mergekit's GTATask: weighted deltas of the elected sign, summed by default."""
    said = text("dare_ties", (0.25, 0.25, 0.25), normalize=normalize, density=1)
    taus = np.array([[2.0], [4.0], [-5.0]])
    assert made(read(said))(taus).tolist() == [expected]
    said["parameters"]["density"] = 0.5
    only_one = made(read(said))([np.ones((1, 4000)), *np.zeros((2, 1, 4000))])
    kept = only_one[only_one != 0]
    assert 0.47 < kept.size / 4000 < 0.53
    np.testing.assert_allclose(kept, 2.0 if normalize else 0.5)


@pytest.mark.filterwarnings("ignore::espnet_merge.errors.InputWarning")
def test_della_reaches_as_far_as_mergekits(read):
    """mergekit: from density - epsilon for the smallest to density + epsilon."""
    said = text("della", weight=1, density=0.5, epsilon=0.2)
    del said["models"][1:3]
    row = np.arange(1.0, 8001.0)[None]
    method = made(read(said))
    factors = method([row])[0] / row[0]
    kept, tenth = factors != 0, 800
    assert kept[:tenth].mean() == pytest.approx(0.32, abs=0.04)
    assert kept[-tenth:].mean() == pytest.approx(0.68, abs=0.04)
    assert read(text("della", weight=1))["params"]["epsilon"] == 0


def test_normalized_sums_are_divided_by_the_weights(read):
    said = text("task_arithmetic", (1, 2, 1), normalize=True)
    merged = made(read(said))(np.array([[4.0], [8.0], [12.0]]))
    assert merged.tolist() == [8.0]


def test_filters_select_by_a_part_of_the_name(read):
    said = text("ties", (0.7, 0.7, 1), density=0.5)
    said["models"][0]["parameters"]["weight"] = [
        {"filter": "encoder", "value": 0.3},
        {"filter": "fc1", "value": 0.1},
        {"value": 0.7},
    ]
    said["parameters"]["lambda"] = [{"filter": "*", "value": 2}]
    method = made(read(said))
    names = {
        "model.encoder.layers.0.fc1.weight": 0.3,
        # As in mergekit: the attention to the encoder has its name, too.
        "model.decoder.layers.0.encoder_attn.q_proj.weight": 0.3,
        "model.decoder.layers.0.fc1.weight": 0.1,
        "model.decoder.embed_tokens.weight": 0.7,
    }
    for name, weight in names.items():
        assert method.at(name).weights == (weight, 0.7, 1), name
        assert method.at(name).scale == 2


def test_what_a_model_does_not_say_stands_below_it(read):
    said = text("task_arithmetic", (1, 2, 3), weight=9)
    said["models"][0]["parameters"]["weight"] = [{"filter": "fc1", "value": 5}]
    method = made(read(said))
    assert method.at("a.fc1.weight").weights == (5, 2, 3)
    assert method.at("a.fc2.weight").weights == (9, 2, 3)


def test_types_adapters_and_methods_of_ours(read):
    said = text("tsv_m", scale=0.5) | {"dtype": "float32", "out_dtype": "torch.float16"}
    said["models"][0]["model"] = "base+lora"
    assert read(said) == {
        "method": "tsv_m",
        "params": {"scale": 0.5},
        "base": "base",
        "experts": ["lora", "e2", "e3"],
        "dtype": "float16",
    }


def test_what_changes_nothing_is_said(read):
    said = text("task_arithmetic", (1, 1, 1), of_each={"density": 0.5}, int8_mask=True)
    said["chat_template"] = "auto"
    with pytest.warns(UserWarning, match="chat_template, density, int8_mask"):
        read(said)


def edited(change, *args, **common):
    said = text(*args, **common)
    change(said)
    return said


REFUSED = {
    "method": (text("nearswap", (1, 1, 1)), "merge_method 'nearswap' is not computed"),
    "nuslerp without a base": (
        text("nuslerp", (1, 1, 1), base=None),
        "base_model is missing; without it, write merge_method: slerp",
    ),
    "nuslerp by rows": (
        text("nuslerp", (1, 1, 1), nuslerp_flatten=False),
        "nuslerp_flatten must be true",
    ),
    "slices": (
        {"merge_method": "ties", "slices": []},
        "slices is not read here; write the merge with 'models'",
    ),
    "unknown": (
        text("ties", (1, 1, 1), denstiy=1),
        "parameters: denstiy is none of ties",
    ),
    "of a model": (
        text("ties", (1, 1, 1), of_each={"gamma": 1}),
        "parameters of e1: gamma is none of ties",
    ),
    "no weight": (text("ties"), "weight must be said of all models"),
    "gradient": (
        text("ties", ([0, 1], 1, 1)),
        r"weight must be a number or have filters; \[0, 1\] changes it from layer",
    ),
    "gradient of a filter": (
        text("slerp", t=[{"filter": "fc1", "value": [0, 1]}, {"value": 1}]),
        "t must be a number or have filters",
    ),
    "no default": (
        text("ties", ([{"filter": "x", "value": 1}], 1, 1)),
        "weight must be said of all models and tensors",
    ),
    "filters differ": (
        text(
            "ties",
            (
                [{"filter": "x", "value": 1}, {"value": 2}],
                [{"filter": "y", "value": 1}, {"value": 2}],
                1,
            ),
        ),
        "weight must have the same filters",
    ),
    "no number": (text("ties", ("much", 1, 1)), "weight must be a number; got 'much'"),
    "densities differ": (
        edited(
            lambda said: said["models"][0]["parameters"].update(density=0.1),
            *("ties", (1, 1, 1)),
        ),
        r"density must be the same for all models; got \(0.1, 1.0, 1.0\)",
    ),
    "rescale": (text("ties", (1, 1, 1), rescale=True), "rescale must be false"),
    "flag": (text("ties", (1, 1, 1), normalize=2), "normalize must be true or false"),
    "tokens": (
        text("ties", (1, 1, 1)) | {"tokenizer_source": "union"},
        "tokenizer_source must be base, .*got 'union'",
    ),
    "no end": (
        text("slerp", base=None, t=0.5),
        "base_model is missing; it is the model",
    ),
    "twice": (
        edited(lambda said: said["models"].append({"model": "e1"}), "model_stock"),
        "models must name each once",
    ),
    "another adapter": (
        edited(lambda said: said["models"][0].update(model="x+lora"), "model_stock"),
        r"models x\+lora is an adapter of another base",
    ),
    "no list": (
        {"merge_method": "ties", "models": "e1"},
        "models must be a list of models; got 'e1'",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_computed_is_refused_by_name(read, kind):
    said, message = REFUSED[kind]
    with pytest.raises(InputError, match=message) as error:
        read(said)
    assert "m.yaml: " in str(error.value)
    assert "\n" not in str(error.value)
