import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods import build_method
from espnet_merge.methods.lors import Lors
from espnet_merge.methods.ties import Ties


def test_values_become_the_types_of_the_fields():
    built = build_method("ties", {"density": "1e-3", "scale": 1, "weights": [1, 2]})
    assert built == Ties(density=0.001, scale=1.0, weights=(1.0, 2.0))
    assert build_method("lors", {"rank": None}) == Lors()


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("tie", {}, "unknown method 'tie': there are soup, .*did you mean 'ties'"),
        ("ties", {"densty": 1}, "unknown parameter of ties .*did you mean 'density'"),
        ("tsv_m", {"weights": [1]}, "unknown parameter of tsv_m 'weights'"),
        ("ties", {"density": "much"}, "density must be a number, got 'much'"),
        ("ties", {"density": True}, "density must be a number, got True"),
        ("ties", {"trim": "all"}, "trim must be one of global, tensor, got 'all'"),
        ("ties", {"trim": [1]}, "trim must be one of"),
        ("ties", {"weights": 3}, "weights must be a list of numbers"),
        ("fisher", {"statistics": "a"}, "statistics must be a list of paths, got 'a'"),
        ("fisher", {"statistics": [1]}, "statistics must be a path, got 1"),
        ("fisher", {"floor": 0}, r"floor must lie in \(0, 1\], got 0.0"),
        ("fisher", {"weights": [1, -1]}, "weights must be >= 0 and not all 0"),
        ("regmean", {"weights": [0, 0]}, "weights must be >= 0 and not all 0"),
        ("regmean", {"ridge": 0}, r"ridge must lie in \(0, 1\], got 0.0"),
        ("regmean", {"off_diagonal": 1.5}, r"off_diagonal must lie in \[0, 1\]"),
        ("lors", {"rank": 1.5}, "rank must be a whole number, got 1.5"),
        ("soup", {"normalize": 1}, "normalize must be true or false, got 1"),
        ("soup", {"weights": ["a"]}, "weights must be a number, got 'a'"),
        ("ties", {"scale": None}, "scale must be a number, got None"),
        ("ties", {"density": {"default": "x"}}, "density must be a number, got 'x'"),
        ("ties", {"density": {"default": 2}}, r"density must lie in \(0, 1\], got 2.0"),
        ("ties", {"density": {"fc(": 1}}, r"density: 'fc\(' is not a regular expr"),
        ("ties", {"density": {1: 1}}, "density: a pattern must be a string, got 1"),
        ("ties", {"densty": {"fc": 1}}, "unknown parameter of ties"),
        ("multi_slerp", {True: "deltas"}, "unknown parameter of multi_slerp 'True'"),
        ("ties", {"density": 2}, r"density must lie in \(0, 1\], got 2.0"),
    ],
)
def test_says_what_is_wrong(name, params, message):
    with pytest.raises(InputError, match=message):
        build_method(name, params)


def test_the_first_pattern_found_decides():
    values = {"default": 0.3, r"encoder\..*attn": 0.5, "encoder": 0.7}
    method = build_method("ties", {"scale": values, "density": {"decoder": 1.0}})
    assert method.at("model.encoder.layers.0.self_attn.q_proj.weight").scale == 0.5
    assert method.at("model.encoder.conv1.weight") == Ties(scale=0.7)
    assert method.at("model.decoder.layer_norm.bias") == Ties(scale=0.3, density=1.0)
    assert str(method).startswith("Ties(density={'decoder': 1.0}, scale={'default'")


def test_encoder_and_decoder_may_weight_the_experts_differently():
    weights = {r"encoder\.": [3, 1], "default": [1, 3]}
    method = build_method("soup", {"weights": weights})
    deltas = np.array([[4.0], [8.0]])
    for name, expected in {
        "model.encoder.layers.0.fc1.weight": 5.0,
        "model.encoder.conv1.bias": 5.0,
        "model.decoder.layers.0.encoder_attn.q_proj.weight": 7.0,
        "model.decoder.embed_tokens.weight": 7.0,
    }.items():
        assert method.at(name)(deltas).tolist() == [expected], name


def test_a_pattern_for_each_number_of_experts_is_checked():
    method = build_method("soup", {"weights": {"encoder": [1, 2]}})
    method.check_names(["encoder.conv1.weight", "decoder.bias"])
    encoder, decoder = map(method.at, ("encoder.conv1.weight", "decoder.bias"))
    encoder.check_experts(2)
    decoder.check_experts(3)
    with pytest.raises(InputError, match="got 2 for 3 experts"):
        encoder.check_experts(3)


def test_the_value_of_a_pattern_is_checked_where_it_is_used():
    values = {"density": {"fc": 0.95}, "epsilon": {"fc": 0.05}}
    assert build_method("della", values).at("fc1").epsilon == 0.05
    for bad, message in ((0.99, "epsilon must lie in"), ("x", "must be a number")):
        method = build_method("della", {"density": {"fc": bad}})
        with pytest.raises(InputError, match=message):
            method.at("fc1")
