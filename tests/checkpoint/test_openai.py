import numpy as np
import pytest
import torch

from espnet_merge.checkpoint.openai import read_openai
from espnet_merge.errors import InputError

# openai-whisper's names beside transformers', written down from both models.
NAMES = {
    "encoder.conv1.bias": "model.encoder.conv1.bias",
    "encoder.positional_embedding": "model.encoder.embed_positions.weight",
    "encoder.blocks.0.attn.query.bias": "model.encoder.layers.0.self_attn.q_proj.bias",
    "encoder.blocks.0.attn.value.weight": (
        "model.encoder.layers.0.self_attn.v_proj.weight"
    ),
    "encoder.blocks.0.attn.out.bias": "model.encoder.layers.0.self_attn.out_proj.bias",
    "encoder.blocks.0.attn_ln.bias": "model.encoder.layers.0.self_attn_layer_norm.bias",
    "encoder.ln_post.weight": "model.encoder.layer_norm.weight",
    "decoder.token_embedding.weight": "model.decoder.embed_tokens.weight",
    "decoder.positional_embedding": "model.decoder.embed_positions.weight",
    "decoder.blocks.10.cross_attn.key.weight": (
        "model.decoder.layers.10.encoder_attn.k_proj.weight"
    ),
    "decoder.blocks.10.cross_attn_ln.weight": (
        "model.decoder.layers.10.encoder_attn_layer_norm.weight"
    ),
    "decoder.blocks.10.mlp.0.weight": "model.decoder.layers.10.fc1.weight",
    "decoder.blocks.10.mlp.2.bias": "model.decoder.layers.10.fc2.bias",
    "decoder.blocks.10.mlp_ln.bias": "model.decoder.layers.10.final_layer_norm.bias",
    "decoder.ln.bias": "model.decoder.layer_norm.bias",
}


def test_names_and_values(tmp_path):
    state = {name: torch.full((2,), i).half() for i, name in enumerate(NAMES)}
    file = {"dims": {"n_audio_head": 6}, "model_state_dict": state}
    torch.save(file, tmp_path / "tiny.pt")
    weights, heads = read_openai(tmp_path / "tiny.pt")
    assert heads == 6
    assert list(weights) == list(NAMES.values())
    for i, value in enumerate(weights.values()):
        assert value.dtype == np.float16
        assert np.array_equal(value, [i, i])


class Evil:
    def __reduce__(self):
        return (print, ("code was run",))


@pytest.mark.parametrize("content", ["empty", "code", "other", "text"])
def test_what_is_no_whisper_is_refused_and_never_run(tmp_path, capsys, content):
    path = tmp_path / "bad.pt"
    if content == "code":
        torch.save({"dims": {"n_audio_head": 6}, "model_state_dict": Evil()}, path)
    elif content == "other":
        torch.save({"weight": torch.zeros(2)}, path)
    elif content == "text":
        path.write_text("a text")
    else:
        path.touch()
    with pytest.raises(InputError, match=r"bad\.pt: must be a(n OpenAI| whole)"):
        read_openai(path)
    assert "code was run" not in capsys.readouterr().out
