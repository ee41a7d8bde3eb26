"""Write a CTranslate2 Whisper file without the code under test."""

import struct

import numpy as np

SINGLE = {
    "self_attn_layer_norm": "self_attention/layer_norm",
    "self_attn.out_proj": "self_attention/linear_1",
    "encoder_attn_layer_norm": "attention/layer_norm",
    "encoder_attn.q_proj": "attention/linear_0",
    "encoder_attn.out_proj": "attention/linear_2",
    "final_layer_norm": "ffn/layer_norm",
    "fc1": "ffn/linear_0",
    "fc2": "ffn/linear_1",
}
FUSED = (
    ("self_attn", "qkv", "self_attention/linear_0"),
    ("encoder_attn", "kv", "attention/linear_1"),
)
TYPES = {"<f4": 0, "|i1": 1, "<i2": 2, "<f2": 4}


def ct2_variables(weights: dict[str, np.ndarray], heads: int) -> dict[str, np.ndarray]:
    """Fuse and rename as CTranslate2's converter does."""
    variables: dict[str, np.ndarray] = {}
    for side in ("encoder", "decoder"):
        variables[f"{side}/num_heads"] = np.array(heads, "<i2")
        variables[f"{side}/pre_norm"] = np.array(1, "|i1")
    variables["decoder/alignment_heads"] = np.array([[0, 0]], "<i2")
    for side, name, new in (
        ("encoder", "conv1", "conv1"),
        ("encoder", "conv2", "conv2"),
        ("encoder", "layer_norm", "layer_norm"),
        ("decoder", "layer_norm", "layer_norm"),
        ("encoder", "embed_positions", "position_encodings"),
        ("decoder", "embed_positions", "position_encodings"),
        ("decoder", "embed_tokens", "embeddings"),
    ):
        _put(variables, weights, f"model.{side}.{name}", f"{side}/{new}")
    layers = {".".join(n.split(".")[1:4]) for n in weights if ".layers." in n}
    for layer in layers:
        side, _, number = layer.split(".")
        for old, new in SINGLE.items():
            old, new = f"model.{layer}.{old}", f"{side}/layer_{number}/{new}"
            if f"{old}.weight" in weights:
                _put(variables, weights, old, new)
        for old, letters, new in FUSED:
            old, new = f"model.{layer}.{old}", f"{side}/layer_{number}/{new}"
            if f"{old}.k_proj.weight" in weights:
                _fuse(variables, weights, old, letters, new)
    return variables


def pack(variables: dict[str, np.ndarray], spec: str = "WhisperSpec") -> bytes:
    """Write the variables in CTranslate2's format, version 6."""
    out = struct.pack("<I", 6) + _string(spec) + struct.pack("<II", 3, len(variables))
    for name, value in sorted(variables.items()):
        data = value.tobytes()
        shape = struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)
        kind = struct.pack("<BI", TYPES[value.dtype.str], len(data))
        out += _string(name) + shape + kind + data
    alias = _string("decoder/projection/weight") + _string("decoder/embeddings/weight")
    return out + struct.pack("<I", 1) + alias


def _put(variables, weights, old, new):
    norm = "layer_norm" in new
    weight, bias = ("gamma", "beta") if norm else ("weight", "bias")
    if "position" in new:
        weight = "encodings"
    variables[f"{new}/{weight}"] = weights[f"{old}.weight"]
    if f"{old}.bias" in weights:
        variables[f"{new}/{bias}"] = weights[f"{old}.bias"]


def _fuse(variables, weights, old, letters, new):
    rows = [weights[f"{old}.{x}_proj.weight"] for x in letters]
    width = rows[0].shape[0]
    zeros = np.zeros(width, rows[0].dtype)
    biases = [weights.get(f"{old}.{x}_proj.bias", zeros) for x in letters]
    variables[f"{new}/weight"] = np.concatenate(rows)
    variables[f"{new}/bias"] = np.concatenate(biases)


def _string(text: str) -> bytes:
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"
