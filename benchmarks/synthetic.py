"""Write a Whisper with random weights, and experts as if fine-tuned from it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from espnet_merge.checkpoint import open_checkpoint
from espnet_merge.checkpoint.dtypes import FLOATS, to_stored
from espnet_merge.checkpoint.identity import expert_digest
from espnet_merge.checkpoint.roles import role_of
from espnet_merge.checkpoint.safetensors import write_header
from espnet_merge.checkpoint.statistics import FILE, write_tensors
from espnet_merge.disk.atomic import whole_directory

# name -> width, layers a side, heads, mel bins, tokens
SIZES = {
    "nano": (64, 2, 2, 80, 1000),
    "tiny": (384, 4, 6, 80, 51865),
    "base": (512, 6, 8, 80, 51865),
    "small": (768, 12, 12, 80, 51865),
    "medium": (1024, 24, 16, 80, 51865),
    "large-v3": (1280, 32, 20, 128, 51866),
    # All shapes of a size once: the cost of a matrix and what a method keeps in memory
    # depend on no more.
    "medium-layer": (1024, 1, 16, 80, 51865),
    "wide": (1280, 1, 20, 128, 51866),
}
FROZEN = "model.encoder.embed_positions.weight"
RANK = 32
TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")


def write_models(directory: Path, size: str, dtype: str, count: int) -> list[Path]:
    """Write base and ``count`` experts, or more; return their directories."""
    names = ["base", *(f"expert{number}" for number in range(count))]
    paths = [directory / name for name in names]
    if all(path.is_dir() for path in paths):
        return paths
    config = whisper_config(size)
    plan = {name: (FLOATS[dtype], shape) for name, shape in shapes(config).items()}
    with whole_directory(directory) as made, ExitStack() as stack:
        files = []
        for name in names:
            (made / name).mkdir()
            config.save_pretrained(made / name)
            path = made / name / "model.safetensors"
            files.append(stack.enter_context(path.open("wb")))
            write_header(files[-1], plan)
        for number, (name, (kind, shape)) in enumerate(plan.items()):
            for file, values in zip(files, versions(number, name, shape), strict=False):
                file.write(to_stored(values, kind).data)
    return paths


def whisper_config(size: str):
    from transformers import WhisperConfig

    width, layers, heads, mels, vocabulary = SIZES[size]
    end = min(50257, vocabulary - 2)
    return WhisperConfig(
        vocab_size=vocabulary,
        num_mel_bins=mels,
        d_model=width,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        decoder_start_token_id=end + 1,
        architectures=["WhisperForConditionalGeneration"],
    )


def shapes(config) -> dict[str, tuple[int, ...]]:
    """Return the shapes that transformers gives the model, the tied copy left out."""
    import torch
    from transformers import WhisperForConditionalGeneration

    with torch.device("meta"):
        state = WhisperForConditionalGeneration(config).state_dict()
    del state["proj_out.weight"]
    return {name: tuple(value.shape) for name, value in state.items()}


def versions(number: int, name: str, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield the tensor in the base, then in one expert after the other."""
    base = np.zeros(shape, np.float32)
    if "norm" in name and name.endswith("weight"):
        base += 1
    elif len(shape) > 1:
        base += 0.02 * normal(shape, number, 0)
    yield base
    expert = 0
    while True:
        expert += 1
        yield base if name == FROZEN else base + task_vector(shape, number, expert)


def task_vector(shape: tuple[int, ...], number: int, expert: int) -> np.ndarray:
    """Return a few strong directions, each weaker than the one before, and noise."""
    noise = 2e-4 * normal(shape, number, expert)
    if len(shape) != 2:
        return noise
    b, a = factors(shape, number, expert)
    b *= 1e-3 / RANK**0.5 * np.arange(1, b.shape[1] + 1, dtype=np.float32) ** -0.7
    return noise + b @ a


def random_whisper(directory: Path, size: str) -> Path:
    """Write a whole Whisper, of the shapes of ``size``, that says what it likes."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    from espnet_merge.whisper.prompt import load_tokenizer
    from tests.micro import write_micro_whisper

    write_micro_whisper(directory)
    if size == "micro":
        return directory
    width, layers, heads, mels, vocabulary = SIZES[size]
    known = len(load_tokenizer(directory))
    config = WhisperConfig.from_pretrained(directory)
    config.update({"d_model": width, "num_mel_bins": mels, "vocab_size": vocabulary})
    for side in ("encoder", "decoder"):
        config.update(
            {
                f"{side}_layers": layers,
                f"{side}_attention_heads": heads,
                f"{side}_ffn_dim": 4 * width,
            }
        )
    small = WhisperForConditionalGeneration.from_pretrained(directory)
    model = WhisperForConditionalGeneration(config)
    model.generation_config = small.generation_config
    model.generation_config.suppress_tokens = list(range(known, vocabulary))
    model.save_pretrained(directory)
    return directory


def write_statistics(models: Sequence[Path], kind: str) -> list[Path]:
    """Write random statistics of experts, the models after the first, beside them."""
    base, *experts = (open_checkpoint(path) for path in models)
    paths = [expert.path.with_name(f"{expert.path.name}-{kind}") for expert in experts]
    for number, (path, expert) in enumerate(zip(paths, experts, strict=True)):
        if path.is_dir():
            continue
        plan = {
            name: entry.shape if kind == "fisher" else (entry.shape[-1],) * 2
            for name, entry in base.entries.items()
            if kind == "fisher" or role_of(name, entry.shape) == "linear"
        }
        # RegMean reads the facts of its inputs, Fisher those of all entries.
        facts = {"mean": 1.0, "norm": 1.0, "inputs": {name: name for name in plan}}
        metadata = {"expert": expert_digest(base, expert), "kind": kind}
        metadata["facts"] = json.dumps(facts)
        tensors = (
            statistic(kind, shape, index, number)
            for index, shape in enumerate(plan.values())
        )
        with whole_directory(path) as made:
            write_tensors(made / FILE, plan, tensors, metadata)
    return paths


def statistic(kind: str, shape: tuple[int, ...], *key: int) -> np.ndarray:
    """Return squares, or the Gram matrix of a few inputs and a little noise."""
    if kind == "fisher":
        return normal(shape, *key) ** 2
    inputs = normal((RANK, shape[0]), *key)
    return inputs.T @ inputs / RANK + 0.01 * np.eye(len(inputs.T), dtype=np.float32)


def factors(shape: tuple[int, ...], number: int, expert: int) -> list[np.ndarray]:
    rank = min(RANK, *shape)
    sides = ((shape[0], rank), (rank, shape[1]))
    return [normal(side, number, expert, i) for i, side in enumerate(sides)]


def normal(shape: tuple[int, ...], *key: int) -> np.ndarray:
    return np.random.default_rng(key).standard_normal(shape, np.float32)


def write_adapters(directory: Path, size: str, count: int) -> list[Path]:
    """Write ``count`` LoRA adapters of ``RANK`` on all linear layers."""
    paths = [directory / f"adapter{number}" for number in range(count)]
    if all(path.is_dir() for path in paths):
        return paths
    linear = {
        name.removesuffix(".weight"): shape
        for name, shape in shapes(whisper_config(size)).items()
        if name.endswith(tuple(f"{target}.weight" for target in TARGETS))
    }
    plan: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name, (rows, columns) in linear.items():
        module = f"base_model.model.{name}"
        plan[f"{module}.lora_A.weight"] = ("F32", (RANK, columns))
        plan[f"{module}.lora_B.weight"] = ("F32", (rows, RANK))
    config = {
        "peft_type": "LORA",
        "r": RANK,
        "lora_alpha": 2 * RANK,
        "target_modules": list(TARGETS),
        "bias": "none",
        "inference_mode": True,
    }
    with whole_directory(directory) as made:
        for expert in range(count):
            path = made / f"adapter{expert}"
            path.mkdir()
            (path / "adapter_config.json").write_text(json.dumps(config))
            with (path / "adapter_model.safetensors").open("wb") as file:
                write_header(file, plan)
                for number, shape in enumerate(linear.values()):
                    b, a = factors(shape, number, expert)
                    file.write((0.01 * a).data)
                    file.write((0.01 * b).data)
    return paths
