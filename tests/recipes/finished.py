"""What a recipe has when its experts are trained: micro models, and real recordings."""

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from tests.recipes.data import write_corpus


def write_recipe(output: Path, whisper: Path) -> Path:
    """Write ``exp/base``, ``exp/full_{es,it}/model``, ``dump/raw`` and hypotheses."""
    shutil.copytree(whisper, output / "exp" / "base")
    for seed, name in enumerate(("full_es", "full_it")):
        move(shutil.copytree(whisper, output / "exp" / name / "model"), seed)
    write_corpus(output / "dump" / "raw")
    right = output / "exp" / "copy" / "es_test"
    right.mkdir(parents=True)
    shutil.copy(output / "dump" / "raw" / "es_test" / "text", right)
    return output


def move(model: Path, seed: int) -> None:
    """Add noise to all weights but the positions, which no training moves."""
    weights = load_file(model / "model.safetensors")
    noise = torch.Generator().manual_seed(seed)
    for key, value in weights.items():
        if "embed_positions" not in key:
            value += 0.01 * torch.randn(value.shape, generator=noise)
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
