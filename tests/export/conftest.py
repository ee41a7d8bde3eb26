"""One speaking Whisper in every format that is read, and an adapter of it."""

import shutil
import warnings
from types import SimpleNamespace

import pytest
import torch
import yaml
from transformers import GenerationConfig

from espnet_merge.export import ctranslate2
from espnet_merge.export.format import Source
from espnet_merge.export.source import complete
from espnet_merge.lora.adapter import add_adapter, save_adapter
from espnet_merge.whisper import fetch
from espnet_merge.whisper.model import load_whisper
from tests import formats
from tests.export.speaking import write_recordings, write_speaking, write_vocabulary


@pytest.fixture(scope="session")
def speaking(tmp_path_factory):
    """Models by the name of their format, ``base`` of the rest, and ``data``."""
    root = tmp_path_factory.mktemp("speaking")
    base, hf = write_speaking(root / "base", 7), write_speaking(root / "hf")
    complete(hf, root / "whole")
    (root / "ctranslate2").mkdir()
    ctranslate2.write(Source(root / "whole", {}), root / "ctranslate2", "float32")
    peft = write_adapter(hf, root / "peft")
    return SimpleNamespace(
        root=root,
        base=base,
        data=write_recordings(root / "data", 2),
        hf=hf,
        bin=formats.write_bin(hf, root / "bin"),
        shards=formats.write_bin(hf, root / "shards", 3),
        openai=formats.write_openai(hf, root / "openai.pt"),
        ctranslate2=root / "ctranslate2",
        task=formats.write_task(hf, root / "task" / "valid.loss.ave.pth", base),
        own=formats.write_own(hf, root / "own" / "10epoch.pth"),
        peft=peft,
        old_peft=write_old_adapter(peft, root / "old_peft"),
    )


@pytest.fixture(scope="session", autouse=True)
def left_open():
    """Read openai-whisper's vocabulary, whose file it leaves open, and reads once."""
    from whisper.tokenizer import get_encoding

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for count in (99, 100):
            get_encoding(name="multilingual", num_languages=count)


@pytest.fixture(autouse=True)
def vocabulary(monkeypatch, tmp_path_factory):
    """Files of weights alone get their tokenizer from the hub, which is not here."""

    def tokenizer(path, size, cache):
        return write_vocabulary(), GenerationConfig(begin_suppress_tokens=[220, 50257])

    monkeypatch.setattr(fetch, "_tokenizer", tokenizer)


def write_adapter(base, directory, seed=0):
    model = add_adapter(load_whisper(base), {"r": 4}, max_trainable_share=1.0)
    torch.manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    directory.mkdir()
    save_adapter(model, directory, "leading_space")
    return directory


def write_old_adapter(adapter, directory):
    """Write the file of 2023, with a record of how the adapter was trained."""
    from safetensors.torch import load_file

    shutil.copytree(adapter, directory)
    weights = load_file(directory / "adapter_model.safetensors")
    (directory / "adapter_model.safetensors").unlink()
    torch.save(weights, directory / "adapter_model.bin")
    record = {"label_format": "leading_space", "pad_to": 0.0, "tail": 4.0}
    (directory / "export.yaml").write_text(yaml.safe_dump(record))
    return directory
