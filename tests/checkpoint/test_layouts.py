"""What users have: weights as trainings left them, and what is no checkpoint."""

import json

import numpy as np
import pytest
import torch

from espnet_merge.checkpoint import open_checkpoint, open_expert
from espnet_merge.checkpoint.agree import check_same_model
from espnet_merge.errors import InputError
from tests.checkpoint.build import (
    OPENAI_NAMES,
    fine_tuned,
    whisper_tensors,
    write_checkpoint,
)

BASE = whisper_tensors()
EXPERT = fine_tuned(BASE, 1)
FC1 = "model.encoder.layers.0.fc1.weight"


def begin(prefix, tensors=EXPERT):
    return {prefix + name: tensor for name, tensor in tensors.items()}


def torch_of(tensors):
    return {name: torch.from_numpy(np.array(x)) for name, x in tensors.items()}


def directory(tensors, **config):
    return lambda path: write_checkpoint(path, tensors, config)


def file(content):
    """Write a file of weights alone."""

    def write(path):
        path.mkdir()
        torch.save(content, path / "last.ckpt")
        return path / "last.ckpt"

    return write


def binary(content):
    """Write a Hugging Face directory as before safetensors."""

    def write(path):
        write_checkpoint(path, EXPERT)
        (path / "model.safetensors").unlink()
        torch.save(content, path / "pytorch_model.bin")
        return path

    return write


WEIGHTS = torch_of(EXPERT)
OPENAI = torch_of(
    {
        old: EXPERT.get(new, np.zeros(8, np.float32))
        for old, new in OPENAI_NAMES.items()
        if new in EXPERT
    }
)
LIGHTNING = {"state_dict": torch_of(begin("model.")), "epoch": 3, "callbacks": {}}
LAYOUTS = {
    "DDP": directory(begin("module.")),
    "torch.compile": directory(begin("_orig_mod.")),
    "both": directory(begin("module._orig_mod.")),
    "FSDP": directory(begin("_fsdp_wrapped_module.")),
    "a compiled part": directory(
        {k.replace("model.", "model._orig_mod.", 1): v for k, v in EXPERT.items()}
    ),
    "WhisperModel": directory({k.removeprefix("model."): v for k, v in EXPERT.items()}),
    "bin": binary(WEIGHTS),
    "bin, DDP": binary(torch_of(begin("module."))),
    "bin, wrapped": binary({"model": WEIGHTS}),
    "bin, Lightning": binary(LIGHTNING),
    "file": file(WEIGHTS),
    "file, DDP": file(torch_of(begin("module."))),
    "file, wrapped": file({"model": WEIGHTS, "optimizers": [], "epoch": 1}),
    "file, Lightning": file(LIGHTNING),
    "file, DeepSpeed": file({"module": WEIGHTS, "lr_scheduler": {}}),
}


@pytest.fixture
def base(tmp_path):
    return open_checkpoint(write_checkpoint(tmp_path / "base", BASE))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_weights_are_found_wherever_a_training_put_them(base, tmp_path, layout):
    expert = open_expert(LAYOUTS[layout](tmp_path / "expert"))
    check_same_model(base, [expert])
    for name, tensor in EXPERT.items():
        np.testing.assert_array_equal(expert.read(name), tensor.ravel())


@pytest.mark.parametrize("owner", ["", "model.", "net.whisper."])
def test_openai_weights_need_no_sizes(tmp_path, owner):
    content = {"state_dict": {owner + name: x for name, x in OPENAI.items()}}
    expert = open_expert(file(content)(tmp_path / "expert"))
    assert expert.format == "openai"
    assert expert.entries.keys() == EXPERT.keys() - {"model.encoder.steps"}


def test_names_of_other_models_stay(tmp_path):
    """T5's decoder has a token embedding of the same name."""
    names = ("shared.weight", "decoder.embed_tokens.weight", "encoder.conv1.weight")
    tensors = {name: np.ones((2, 2), np.float32) for name in names}
    write_checkpoint(tmp_path / "t5", tensors, {"model_type": "t5"})
    assert open_checkpoint(tmp_path / "t5").entries.keys() == set(names)


def quantised(tensors):
    return directory(
        {**EXPERT, **tensors}, quantization_config={"quant_method": "bitsandbytes"}
    )


def place(name, content=b""):
    """Write a file of another kind."""

    def write(path):
        (path / name).parent.mkdir(parents=True)
        (path / name).write_bytes(content)
        return path

    return write


def above(path):
    for step in (5, 10):
        write_checkpoint(path / f"checkpoint-{step}", EXPERT)
    return path


def shard(path):
    name = "mp_rank_00_model_states.pt"
    path.mkdir()
    torch.save({"module": {"w": torch.empty(0)}, "param_shapes": []}, path / name)
    return path / name


REFUSED = {
    "4 bit": (
        quantised({FC1: np.zeros((64, 1), np.uint8)}),
        "quantised (bitsandbytes)",
    ),
    "8 bit": (quantised({FC1: np.zeros((16, 8), np.int8)}), "quantised (bitsandbytes)"),
    "a directory above": (above, "give one, such as {path}/checkpoint-10"),
    "ZeRO": (place("zero_to_fp32.py"), "'python {path}/zero_to_fp32.py {path} OUTPUT'"),
    "a shard of ZeRO": (shard, "join all first with zero_to_fp32.py"),
    "FSDP": (place("fsdp_0/__0_0.distcp"), "fsdp_0/__0_0.distcp is a shard of FSDP's"),
    "CTranslate2": (place("model.bin"), "'espnet-merge fetch {path}'"),
    "whisper.cpp": (place("ggml-base.bin"), "ggml-base.bin is whisper.cpp's"),
    "Flax": (place("flax_model.msgpack"), "is Flax's, save it as safetensors"),
    "Git LFS": (
        place("model.safetensors", b"version https://git-lfs.github.com/spec/v1\n"),
        "run 'git lfs pull' in {path}",
    ),
    "resized": (
        directory(
            EXPERT | {"model.decoder.embed_tokens.weight": np.zeros((16, 8), "f4")},
            vocab_size=16,
        ),
        "vocab_size is 16, but 12 in",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_is_named(base, tmp_path, kind):
    write, message = REFUSED[kind]
    with pytest.raises(InputError) as error:
        check_same_model(base, [open_expert(write(tmp_path / "expert"))])
    assert message.format(path=tmp_path / "expert") in str(error.value)
    assert "\n" not in str(error.value)


CONFIG = {"encoder": "conformer", "encoder_conf": {"attention_heads": 8}}
SAME = [
    {"download_dir": "/elsewhere"},
    {"use_specaug": True, "specaug_conf": {"apply_time_warp": True}},
    {"layer_drop_rate": 0.1, "stochastic_depth_rate": 0.1, "dropout_rate": 0.2},
    {"use_flash_attn": False, "use_sdpa": True, "gradient_checkpoint_layers": [1]},
]


@pytest.mark.parametrize("options", SAME, ids=lambda options: next(iter(options)))
def test_options_of_a_training_are_no_difference(tmp_path, options):
    models = []
    for name, more in (("a", {}), ("b", options), ("c", {"attention_heads": 4})):
        path = tmp_path / name
        path.mkdir()
        weights = {"encoder.encoders.0.w": torch.full((2,), float(len(models)))}
        torch.save(weights, path / "9epoch.pth")
        conf = CONFIG["encoder_conf"] | more
        (path / "config.yaml").write_text(json.dumps(CONFIG | {"encoder_conf": conf}))
        models.append(open_expert(path / "9epoch.pth"))
    one, same, other = models
    check_same_model(one, [same])
    with pytest.raises(InputError, match="attention_heads is 4, but 8"):
        check_same_model(one, [other])
