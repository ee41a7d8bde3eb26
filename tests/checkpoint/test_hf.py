import json

import numpy as np
import pytest

from espnet_merge.checkpoint import open_checkpoint
from espnet_merge.checkpoint.agree import check_same_model
from espnet_merge.checkpoint.opened import TIED
from espnet_merge.checkpoint.roles import role_of
from espnet_merge.errors import InputError
from tests.checkpoint.build import write_checkpoint

COPY, ORIGINAL = TIED
TABLE = np.arange(6, dtype=np.float32).reshape(3, 2)


def test_a_tied_projection_is_left_out(tmp_path):
    path = write_checkpoint(tmp_path / "m", {COPY: TABLE, ORIGINAL: TABLE})
    assert list(open_checkpoint(path).entries) == [ORIGINAL]


def test_an_untied_projection_stays(tmp_path):
    tensors = {COPY: TABLE + 1, ORIGINAL: TABLE}
    untied = {"tie_word_embeddings": False}
    path = write_checkpoint(tmp_path / "m", tensors, untied)
    assert set(open_checkpoint(path).entries) == {COPY, ORIGINAL}
    write_checkpoint(path, tensors)
    with pytest.raises(InputError, match=r"differs from .* but config.json ties"):
        open_checkpoint(path)


def test_views_are_read_only(tmp_path):
    path = write_checkpoint(tmp_path / "m", {"x": TABLE})
    values = open_checkpoint(path).read("x")
    with pytest.raises(ValueError, match="read-only"):
        values += 1


def test_index_and_shards_must_agree(tmp_path):
    path = write_checkpoint(tmp_path / "m", {"x": TABLE})
    (path / "model.safetensors").rename(path / "s.safetensors")
    index = {"weight_map": {"x": "s.safetensors", "y": "s.safetensors"}}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="tensor y is in the index or in a shard"):
        open_checkpoint(path)


DIFFERENT = {
    "missing": ({}, {}, None, "e: tensor x is missing, .*b has it"),
    "extra": ({"x": TABLE, "y": TABLE}, {}, None, "b: tensor y is missing"),
    "shape": ({"x": TABLE.T}, {}, None, r"x: shape \[2, 3\] in .*e.*\[3, 2\] in .*b"),
    "kind": ({"x": TABLE.astype("i8")}, {}, None, "x: I64 in .*e.* but F32 in .*b"),
    "config": ({"x": TABLE}, {"d_model": 16}, None, "d_model is 16, but 8 in"),
    "vocab size": ({"x": TABLE}, {"vocab_size": 9}, None, "vocab_size is 9, but 12"),
    "vocabulary": ({"x": TABLE}, {}, {"a": 1, "b": 0}, "e: another vocab"),
}


@pytest.mark.parametrize("kind", DIFFERENT)
def test_an_expert_of_another_model_is_refused(tmp_path, kind):
    tensors, config, vocabulary, message = DIFFERENT[kind]
    base = write_checkpoint(tmp_path / "b", {"x": TABLE}, {}, {"a": 0, "b": 1})
    expert = write_checkpoint(tmp_path / "e", tensors, config, vocabulary)
    with pytest.raises(InputError, match=message):
        check_same_model(open_checkpoint(base), [open_checkpoint(expert)])


def test_a_vocabulary_is_its_tokens_however_they_are_written(tmp_path):
    base = write_checkpoint(tmp_path / "b", {"x": TABLE}, {}, {"a": 0, "b": 1})
    expert = write_checkpoint(tmp_path / "e", {"x": TABLE}, {}, {"b": 1, "a": 0})
    one, other = ((path / "vocab.json").read_text() for path in (base, expert))
    assert one != other
    opened = open_checkpoint(base), [open_checkpoint(expert)]
    assert check_same_model(*opened) is None
    (expert / "vocab.json").write_text(other.replace("0", "2"))
    with pytest.raises(InputError, match=r"e: another vocabulary than"):
        check_same_model(*opened)


def test_a_fast_tokenizer_is_compared_too(tmp_path):
    paths = [write_checkpoint(tmp_path / name, {"x": TABLE}) for name in "be"]
    opened = [open_checkpoint(path) for path in paths]

    def write(path, vocab, *added):
        tokens = [{"id": index, "content": token} for token, index in added]
        content = {"model": {"vocab": vocab}, "added_tokens": tokens}
        (path / "tokenizer.json").write_text(json.dumps(content))

    write(paths[0], {"a": 0}, ("<|es|>", 1))
    write(paths[1], {"a": 0, "<|es|>": 1})
    check_same_model(opened[0], opened[1:])
    write(paths[1], {"a": 0}, ("<|it|>", 1))
    with pytest.raises(InputError, match=r"e: another vocabulary .* row 1 is '<.it.>'"):
        check_same_model(opened[0], opened[1:])
    (paths[1] / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="not a tokenizer of Hugging Face's"):
        check_same_model(opened[0], opened[1:])


ROLES = {
    "linear": [
        "model.decoder.layers.3.encoder_attn.out_proj.weight",
        "model.encoder.layers.0.fc1.weight",
        "encoder.blocks.0.attn.query.weight",
        "decoder.blocks.1.mlp.0.weight",
        "encoder.encoders.0.feed_forward.w_1.weight",
    ],
    "embedding": [
        "model.decoder.embed_tokens.weight",
        "model.encoder.embed_positions.weight",
        "decoder.positional_embedding",
        "proj_out.weight",
    ],
    "norm": [
        "model.decoder.layer_norm.weight",
        "model.encoder.layers.0.self_attn_layer_norm.bias",
        "decoder.blocks.0.attn_ln.weight",
        "encoder.ln_post.bias",
    ],
    "bias": ["model.encoder.layers.0.fc1.bias", "encoder.conv1.bias"],
    "other": ["log_variance", "head.weight"],
}


@pytest.mark.parametrize(
    ("role", "name"), [(role, name) for role in ROLES for name in ROLES[role]]
)
def test_roles(role, name):
    shape = (4,) if role in ("norm", "bias") else (4, 4)
    assert role_of(name, shape) == role


def test_a_convolution_is_told_by_its_shape():
    assert role_of("model.encoder.conv1.weight", (4, 4, 3)) == "conv"
