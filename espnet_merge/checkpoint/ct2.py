"""Read a CTranslate2 Whisper file as Hugging Face weights, losing nothing.

CTranslate2 stores the projections of query, key and value of one attention as the rows
of one matrix. They are cut apart and renamed here; no number is changed.
"""

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from espnet_merge.checkpoint.dtypes import DTYPES, to_float
from espnet_merge.errors import InputError

Array = NDArray[np.generic]

# CTranslate2's type codes. Whole numbers (i8, i16) hold quantised weights, which
# cannot be turned back into the weights they came from, or scalars such as num_heads.
_DTYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}
_BF16 = 5

_TOP = {
    "embeddings": "embed_tokens",
    "position_encodings": "embed_positions",
    "layer_norm": "layer_norm",
    "conv1": "conv1",
    "conv2": "conv2",
}
_LAYER = {
    "self_attention/layer_norm": ["self_attn_layer_norm"],
    "self_attention/linear_0": [f"self_attn.{x}_proj" for x in "qkv"],
    "self_attention/linear_1": ["self_attn.out_proj"],
    "attention/layer_norm": ["encoder_attn_layer_norm"],
    "attention/linear_0": ["encoder_attn.q_proj"],
    "attention/linear_1": [f"encoder_attn.{x}_proj" for x in "kv"],
    "attention/linear_2": ["encoder_attn.out_proj"],
    "ffn/layer_norm": ["final_layer_norm"],
    "ffn/linear_0": ["fc1"],
    "ffn/linear_1": ["fc2"],
}
_KINDS = {"gamma": "weight", "beta": "bias", "encodings": "weight"}


def read_ct2(data: bytes, source: str) -> tuple[dict[str, Array], int]:
    """Return the weights of a CTranslate2 Whisper and its number of attention heads.

    Args:
        data: the whole file.
        source: its name, for messages.

    Raises:
        InputError: not such a file, a truncated one, or one with quantised weights.
    """
    try:
        variables = _variables(data)
        heads = int(variables["encoder/num_heads"])
    except (struct.error, UnicodeDecodeError, KeyError, ValueError) as error:
        raise InputError(
            f"{source}: must be a whole CTranslate2 Whisper file; it is not "
            f"({error!r}). Delete it and fetch it again."
        ) from error
    weights: dict[str, Array] = {}
    for name, value in variables.items():
        if value.ndim == 0 or (value.dtype.kind == "i" and name.count("alignment")):
            continue
        if value.dtype.kind != "f":
            raise InputError(
                f"{source}: weights must be floats; {name} is quantised "
                f"({value.dtype}), which cannot be undone. Take the float16 model."
            )
        weights.update(_rename(name, value))
    return weights, heads


def _variables(data: bytes) -> dict[str, Array]:
    """Return every variable by name; of equal ones the file holds one."""
    offset = 0

    def take(code: str) -> int:
        nonlocal offset
        (value,) = struct.unpack_from(f"<{code}", data, offset)
        offset += struct.calcsize(code)
        return int(value)

    def take_string() -> str:
        nonlocal offset
        length = take("H")
        text = data[offset : offset + length].rstrip(b"\0").decode()
        offset += length
        return text

    version, spec, _ = take("I"), take_string(), take("I")
    if spec != "WhisperSpec":
        raise ValueError(f"format {version} of a {spec!r}")
    found: dict[str, Array] = {}
    for _ in range(take("I")):
        name = take_string()
        shape = [take("I") for _ in range(take("B"))]
        code, size = take("B"), take("I")
        dtype = np.dtype(DTYPES["BF16"] if code == _BF16 else _DTYPES[code])
        array: Array = np.frombuffer(data, dtype, size // dtype.itemsize, offset)
        if code == _BF16:
            array = to_float(array, "BF16", "float32")
        found[name] = array.reshape(shape)
        offset += size
    for _ in range(take("I")):
        alias, name = take_string(), take_string()
        # The projection repeats the embedding, and is told by it.
        if not alias.startswith("decoder/projection/"):
            found[alias] = found[name]
    return found


def _rename(name: str, value: Array) -> Iterator[tuple[str, Array]]:
    """Yield the Hugging Face name and rows of each part of one variable."""
    side, *middle, kind = name.split("/")
    kind = _KINDS.get(kind, kind)
    if middle[0].startswith("layer_") and middle[0] != "layer_norm":
        prefix = f"model.{side}.layers.{middle[0].removeprefix('layer_')}."
        parts = _LAYER["/".join(middle[1:])]
    else:
        prefix, parts = f"model.{side}.", [_TOP[middle[0]]]
    for part, rows in zip(parts, np.split(value, len(parts)), strict=True):
        if kind == "bias" and part.endswith("k_proj"):
            # Whisper's keys have no bias: CTranslate2 pads the fused one with zeros.
            if np.any(rows):
                raise InputError(f"{name}: the bias of the keys must be zero.")
            continue
        yield f"{prefix}{part}.{kind}", rows
