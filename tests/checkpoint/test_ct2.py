import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import WhisperForConditionalGeneration

from espnet_merge.checkpoint.ct2 import read_ct2
from espnet_merge.errors import InputError
from tests.checkpoint.ct2_file import ct2_variables, pack
from tests.micro import micro_config


@pytest.fixture(scope="module")
def weights():
    """Float16 weights of a micro Whisper by their Hugging Face names."""
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(micro_config(300))
    for parameter in model.parameters():
        # Biases and norms, too, must be told apart.
        torch.nn.init.normal_(parameter)
    state = {n: t.half().numpy() for n, t in model.state_dict().items()}
    del state["proj_out.weight"]
    return state


def test_every_tensor_comes_back_bit_by_bit(weights):
    found, heads = read_ct2(pack(ct2_variables(weights, heads=2)), "x")
    assert heads == 2
    assert found.keys() == weights.keys()
    for name, value in weights.items():
        assert found[name].dtype == np.float16
        assert np.array_equal(found[name], value), name


@pytest.mark.parametrize("keep", [0, 3, 40, 5000])
def test_truncated_file(weights, keep):
    cut = pack(ct2_variables(weights, heads=2))[:keep]
    with pytest.raises(InputError, match="model: must be a whole CTranslate2 Whisper"):
        read_ct2(cut, "model")


def test_another_model(weights):
    with pytest.raises(InputError, match="TransformerSpec"):
        read_ct2(pack(ct2_variables(weights, heads=2), "TransformerSpec"), "model")


def test_quantised_weights_are_refused(weights):
    variables = ct2_variables(weights, heads=2)
    name = "encoder/layer_0/ffn/linear_0/weight"
    variables[name] = np.ones(variables[name].shape, "|i1")
    with pytest.raises(InputError, match=f"{name} is quantised"):
        read_ct2(pack(variables), "model")


def test_a_bias_of_the_keys_is_not_lost_in_silence(weights):
    variables = ct2_variables(weights, heads=2)
    name = "encoder/layer_0/self_attention/linear_0/bias"
    variables[name] = np.ones_like(variables[name])
    with pytest.raises(InputError, match="keys must be zero"):
        read_ct2(pack(variables), "model")


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_what_ctranslate2_converts_is_read(micro_whisper, tmp_path, kind):
    converters = pytest.importorskip("ctranslate2").converters
    converter = converters.TransformersConverter(str(micro_whisper))
    converter.convert(str(tmp_path / "out"), quantization=kind)
    found, _ = read_ct2((tmp_path / "out" / "model.bin").read_bytes(), "x")
    state = load_file(micro_whisper / "model.safetensors")
    assert found.keys() == state.keys() - {"proj_out.weight"}
    for name, stored in found.items():
        rounded = state[name].to(getattr(torch, kind))
        np.testing.assert_array_equal(stored, rounded.float(), err_msg=name)
