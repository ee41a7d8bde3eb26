"""One Whisper in every format, written without the code under test."""

import json
import shutil

import torch
import yaml
from safetensors.torch import load_file, save_file

from tests.micro import write_micro_whisper

# Hugging Face's word -> openai-whisper's, replaced in this order.
OPENAI_WORDS = (
    ("model.", ""),
    ("layers.", "blocks."),
    ("self_attn_layer_norm", "attn_ln"),
    ("encoder_attn_layer_norm", "cross_attn_ln"),
    ("final_layer_norm", "mlp_ln"),
    ("encoder.layer_norm", "encoder.ln_post"),
    ("decoder.layer_norm", "decoder.ln"),
    ("self_attn", "attn"),
    ("encoder_attn", "cross_attn"),
    ("q_proj", "query"),
    ("k_proj", "key"),
    ("v_proj", "value"),
    ("out_proj", "out"),
    ("fc1", "mlp.0"),
    ("fc2", "mlp.2"),
    ("embed_tokens", "token_embedding"),
    ("embed_positions.weight", "positional_embedding"),
)


def openai_name(name):
    for old, new in OPENAI_WORDS:
        name = name.replace(old, new)
    return name


def weights_of(directory):
    """Return the weights of a Hugging Face directory, the tied copy left out."""
    state = load_file(directory / "model.safetensors")
    state.pop("proj_out.weight", None)
    return state


def write_fine_tuned(base, directory, seed):
    """Move all weights of ``base`` but the encoder's positions."""
    shutil.copytree(base, directory)
    torch.manual_seed(seed)
    state = {
        name: value
        if name == "model.encoder.embed_positions.weight"
        else value + 0.01 * torch.randn_like(value)
        for name, value in weights_of(base).items()
    }
    save_file(state, directory / "model.safetensors", metadata={"format": "pt"})
    return directory


def write_bin(source, directory, shards=1):
    """Write what transformers wrote before safetensors, the tied copy included."""
    shutil.copytree(source, directory)
    (directory / "model.safetensors").unlink()
    state = weights_of(source)
    state["proj_out.weight"] = state["model.decoder.embed_tokens.weight"]
    if shards == 1:
        torch.save(state, directory / "pytorch_model.bin")
        return directory
    where = {}
    for number in range(shards):
        part = dict(list(state.items())[number::shards])
        name = f"pytorch_model-{number + 1:05}-of-{shards:05}.bin"
        torch.save({k: v.clone() for k, v in part.items()}, directory / name)
        where |= dict.fromkeys(part, name)
    index = directory / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return directory


def write_openai(source, path):
    config = json.loads((source / "config.json").read_text())
    dims = {
        "n_mels": config["num_mel_bins"],
        "n_vocab": config["vocab_size"],
        "n_audio_ctx": config["max_source_positions"],
        "n_audio_state": config["d_model"],
        "n_audio_head": config["encoder_attention_heads"],
        "n_audio_layer": config["encoder_layers"],
        "n_text_ctx": config["max_target_positions"],
        "n_text_state": config["d_model"],
        "n_text_head": config["decoder_attention_heads"],
        "n_text_layer": config["decoder_layers"],
    }
    state = {openai_name(name): value for name, value in weights_of(source).items()}
    torch.save({"dims": dims, "model_state_dict": state}, path)
    return path


def write_task(source, path, base):
    """Write an experiment of WhisperTask; ESPnet's averages are no longer tied."""
    state = weights_of(source)
    state["proj_out.weight"] = state["model.decoder.embed_tokens.weight"].clone()
    return _write_espnet(
        {f"network.{name}": value for name, value in state.items()},
        path,
        {"whisper": str(base), "lora": False},
    )


def write_own(source, path):
    """Write an experiment with ESPnet's own Whisper."""
    state = {}
    for name, value in weights_of(source).items():
        side, rest = openai_name(name).split(".", 1)
        state[f"{side}.{side}s.{rest}"] = value
    return _write_espnet(state, path, {"encoder": "whisper", "decoder": "whisper"})


def write_conformer(path, seed, **config):
    torch.manual_seed(seed)
    state = {
        "encoder.encoders.0.self_attn.linear_q.weight": torch.randn(4, 4),
        "encoder.encoders.0.conv_module.norm.num_batches_tracked": torch.tensor(seed),
        "ctc.ctc_lo.bias": torch.randn(5),
    }
    return _write_espnet(state, path, {"encoder": "conformer"} | config)


def _write_espnet(state, path, config):
    path.parent.mkdir(parents=True)
    torch.save(state, path)
    (path.parent / "config.yaml").write_text(yaml.safe_dump(config))
    return path


def write_all(root):
    """Write a base, two experts, and the first of them in every format."""
    base = write_micro_whisper(root / "base")
    one = write_fine_tuned(base, root / "hf", 1)
    write_fine_tuned(base, root / "other", 2)
    write_bin(one, root / "bin")
    write_bin(one, root / "shards", 3)
    write_openai(one, root / "openai.pt")
    write_task(one, root / "task" / "valid.loss.ave.pth", base)
    write_own(one, root / "own" / "10epoch.pth")
    write_openai(base, root / "base.pt")
    return root


def write_adapter(directory, base):
    """Write an adapter of another trainer's, on the first layers of the encoder."""
    directory.mkdir()
    noise = torch.Generator().manual_seed(0)
    shapes = {n: x.shape for n, x in load_file(base / "model.safetensors").items()}
    factors = {}
    for name in ("q_proj", "v_proj"):
        module = f"model.encoder.layers.0.self_attn.{name}"
        rows, columns = shapes[f"{module}.weight"]
        for letter, shape in (("A", (2, columns)), ("B", (rows, 2))):
            factors[f"base_model.model.{module}.lora_{letter}.weight"] = torch.randn(
                shape, generator=noise
            )
    save_file(factors, directory / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 2, "lora_dropout": 0.0}
    config |= {"target_modules": r".*encoder\.layers\.0\.self_attn\.[qv]_proj"}
    (directory / "adapter_config.json").write_text(json.dumps(config))
    return directory


def write_checkpoint(directory, base):
    """Write a fine-tune as a trainer leaves it in the course, without a tokenizer."""
    write_fine_tuned(base, directory, 1)
    for file in (*directory.glob("*token*"), *directory.glob("*.txt")):
        file.unlink()
    (directory / "vocab.json").unlink(missing_ok=True)
    return directory
