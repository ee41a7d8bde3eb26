"""Write small checkpoints, good and bad, without the code under test."""

import json

import numpy as np
from safetensors.numpy import save_file

CONFIG = {
    "architectures": ["WhisperForConditionalGeneration"],
    "model_type": "whisper",
    "d_model": 8,
    "vocab_size": 12,
    "tie_word_embeddings": True,
    "torch_dtype": "float32",
}
LAYER = "model.encoder.layers.0."


def write_checkpoint(path, tensors, config=None, vocabulary=None):
    path.mkdir(parents=True, exist_ok=True)
    tensors = {k: np.ascontiguousarray(v) for k, v in tensors.items()}
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    (path / "config.json").write_text(json.dumps(CONFIG | (config or {})))
    (path / "tokenizer_config.json").write_text("{}")
    if vocabulary is not None:
        (path / "vocab.json").write_text(json.dumps(vocabulary))
    return path


def whisper_tensors(seed=0, dtype=np.float32):
    """Return one tensor of every kind that Whisper has, with an integer one."""
    rng = np.random.default_rng(seed)
    shapes = {
        "model.encoder.conv1.weight": (8, 4, 3),
        "model.encoder.embed_positions.weight": (6, 8),
        f"{LAYER}self_attn.q_proj.weight": (8, 8),
        f"{LAYER}self_attn.q_proj.bias": (8,),
        f"{LAYER}fc1.weight": (16, 8),
        f"{LAYER}fc2.weight": (8, 16),
        f"{LAYER}final_layer_norm.weight": (8,),
        "model.decoder.embed_tokens.weight": (12, 8),
    }
    tensors = {n: rng.normal(0, 0.1, s).astype(dtype) for n, s in shapes.items()}
    return tensors | {"model.encoder.steps": np.array([3, 1], np.int64)}


def fine_tuned(base, seed, size=0.01):
    """Return ``base`` moved as training would: all floats but the position table."""
    rng = np.random.default_rng(seed)
    return {
        name: value
        if value.dtype.kind == "i" or "embed_positions" in name
        else (value + rng.normal(0, size, value.shape)).astype(value.dtype)
        for name, value in base.items()
    }


def _openai_names():
    """Return the names of openai-whisper's ``Whisper`` with one layer a side."""
    parts = {
        "conv1": "conv1",
        "conv2": "conv2",
        "ln_post": "layer_norm",
    }
    layer = {
        "attn.query": "self_attn.q_proj",
        "attn.key": "self_attn.k_proj",
        "attn.value": "self_attn.v_proj",
        "attn.out": "self_attn.out_proj",
        "attn_ln": "self_attn_layer_norm",
        "mlp.0": "fc1",
        "mlp.2": "fc2",
        "mlp_ln": "final_layer_norm",
    }
    cross = {
        "cross_attn.query": "encoder_attn.q_proj",
        "cross_attn.key": "encoder_attn.k_proj",
        "cross_attn.value": "encoder_attn.v_proj",
        "cross_attn.out": "encoder_attn.out_proj",
        "cross_attn_ln": "encoder_attn_layer_norm",
    }
    modules = {f"encoder.{a}": f"encoder.{b}" for a, b in parts.items()}
    modules["decoder.ln"] = "decoder.layer_norm"
    for side, names in (("encoder", layer), ("decoder", layer | cross)):
        for a, b in names.items():
            modules[f"{side}.blocks.0.{a}"] = f"{side}.layers.0.{b}"
    names = {
        f"{a}.{kind}": f"model.{b}.{kind}"
        for a, b in modules.items()
        for kind in ("weight", "bias")
        if not (a.endswith("attn.key") and kind == "bias")
    }
    for side in ("encoder", "decoder"):
        table = f"model.{side}.embed_positions.weight"
        names[f"{side}.positional_embedding"] = table
    names["decoder.token_embedding.weight"] = "model.decoder.embed_tokens.weight"
    return names


OPENAI_NAMES = _openai_names()
