"""What is written is complete, and what cannot be is told in a line before."""

import importlib.util
import json
import shutil
import struct

import pytest
import torch
import yaml
from safetensors.torch import load_file
from transformers import GenerationConfig, WhisperTokenizer

from espnet_merge.__main__ import main
from espnet_merge.checkpoint.padding import Padding, padding_of
from espnet_merge.export import ggml
from tests.export.conftest import write_adapter
from tests.export.speaking import write_speaking
from tests.micro import write_micro_whisper


def export(*words):
    main(["export", *map(str, words)])


def refusal(capsys, *words):
    with pytest.raises(SystemExit) as stopped:
        export(*words)
    assert stopped.value.code == 2
    return capsys.readouterr().err


def test_a_directory_carries_what_others_need(speaking, tmp_path):
    """The source is one of 2022: no generation_config.json, no preprocessor."""
    old, out = tmp_path / "old", tmp_path / "out"
    shutil.copytree(speaking.hf, old)
    for name in ("generation_config.json", "preprocessor_config.json"):
        (old / name).unlink()
    export(old, "--output", out, "--dtype", "float16")
    generation = GenerationConfig.from_pretrained(out)
    assert generation.lang_to_id["<|es|>"] == 50262
    assert generation.task_to_id == {"translate": 50358, "transcribe": 50359}
    assert json.loads((out / "preprocessor_config.json").read_text())["feature_size"]
    assert len(WhisperTokenizer.from_pretrained(out)) == 51865
    assert json.loads((out / "config.json").read_text())["dtype"] == "float16"
    before, after = (load_file(x / "model.safetensors") for x in (old, out))
    before.pop("proj_out.weight", None)
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert torch.equal(value.half(), after[name])


def test_the_record_says_how_the_model_was_trained(speaking, tmp_path):
    out = tmp_path / "out"
    export(speaking.old_peft, "--base", speaking.hf, "--output", out)
    record = yaml.safe_load((out / "export.yaml").read_text())
    assert record["to"] == "peft"
    assert padding_of(out) == Padding(0, 4)
    size = (out / "adapter_model.safetensors").stat().st_size
    assert record["bytes"] == {"adapter_model.safetensors": size}
    one, other = (
        load_file(x / "adapter_model.safetensors") for x in (speaking.peft, out)
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("named", "origin", "expected"),
    [
        ("exp/base", None, (None, None)),
        ("/home/me/base", None, (None, None)),
        ("openai/whisper-base", None, ("openai/whisper-base", None)),
        ("exp/base", "me/base", ("me/base", "c0ffee")),
    ],
)
def test_an_adapter_names_its_base_as_others_find_it(
    speaking, tmp_path, named, origin, expected
):
    adapter, base = tmp_path / "adapter", tmp_path / "base"
    shutil.copytree(speaking.peft, adapter)
    shutil.copytree(speaking.hf, base)
    file = adapter / "adapter_config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps({**config, "base_model_name_or_path": named}))
    if origin:
        record = {"source": origin, "origin": f"hub:{origin}", "commit": "c0ffee"}
        (base / "fetch.json").write_text(json.dumps(record))
    export(adapter, "--base", base, "--output", tmp_path / "out")
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config.get("revision")) == expected
    assert str(tmp_path) not in (tmp_path / "out" / "README.md").read_text()


def test_the_sizes_of_ggml_are_in_its_order(speaking, tmp_path):
    export(speaking.hf, "--to", "ggml", "--output", tmp_path / "out")
    head = (tmp_path / "out" / ggml.FILE).read_bytes()[:56]
    magic, *sizes, mels, bins = struct.unpack("<I13i", head)
    assert magic == int.from_bytes(b"lmgg", "little")
    assert sizes == [51865, 1500, 64, 2, 1, 448, 64, 2, 1, 80, 1]
    assert (mels, bins) == (80, 201)


def test_a_bundle_is_served_and_decoded(speaking, tmp_path, capsys):
    other = write_adapter(speaking.hf, tmp_path / "it", seed=1)
    out = tmp_path / "out"
    words = ("--adapters", f"es={speaking.peft}", f"it={other}")
    export(
        speaking.hf, "--to", "bundle", "--output", out, "--check", speaking.data, *words
    )
    place, command, head, *differing = capsys.readouterr().out.splitlines()
    assert place == str(out)
    assert command == (
        f"vllm serve {out}/model --enable-lora --lora-modules es={out}/adapters/es"
        f" it={out}/adapters/it --max-loras 2 --max-lora-rank 8"
    )
    assert head.endswith("2 of 2 texts are equal")
    assert not differing
    manifest = json.loads((out / "routes.json").read_text())
    assert manifest["adapters"]["it"] == {"path": "adapters/it", "rank": 4}


@pytest.mark.parametrize("to", ["hf", "openai", "ctranslate2", "ggml", "onnx"])
@pytest.mark.parametrize(
    ("seed", "more"),
    [(0, {"languages": 100, "mels": 128}), (2, {})],
    ids=["turbo", "distil"],
)
def test_other_shapes(speaking, tmp_path, capsys, seed, more, to):
    """The decoder has fewer layers; large-v3 has more channels and a language more.

    The seeds are those of models that say the same in float16, which ggml writes.
    """
    model = write_speaking(tmp_path / "model", seed, deep=2, **more)
    words = ("--output", tmp_path / "out", "--check", speaking.data)
    export(model, "--to", to, *words)
    assert capsys.readouterr().out.strip().endswith("2 of 2 texts are equal")


def test_a_difference_is_printed(speaking, tmp_path, capsys, monkeypatch):
    from espnet_merge.export import hf
    from espnet_merge.export.format import Format

    said = Format(hf.FORMAT.dtypes, hf.FORMAT.runtime, hf.write, lambda *_: str)
    monkeypatch.setattr(hf, "FORMAT", said)
    export(speaking.hf, "--output", tmp_path / "out", "--check", speaking.data)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith("0 of 2 texts are equal")
    assert lines[2] == "es-digits_at"
    assert [line.split()[0] for line in lines[3:5]] == ["espnet_merge", "transformers"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--to", "ggml", "--dtype", "float32"), "knows --dtype float16; got float32"),
        (("--to", "peft"), "needs an adapter as INPUT"),
        (("--to", "bundle"), "needs --adapters"),
        (("--to", "hf", "--adapters", "es=x"), "--adapters needs --to bundle"),
    ],
)
def test_what_does_not_fit_is_refused(speaking, tmp_path, capsys, words, expected):
    out = tmp_path / "out"
    assert expected in refusal(capsys, speaking.hf, "--output", out, *words)
    assert not out.exists()


@pytest.mark.parametrize("to", ["openai", "ggml"])
def test_another_vocabulary_is_refused(tmp_path, capsys, to):
    model, out = write_micro_whisper(tmp_path / "micro"), tmp_path / "out"
    assert "has 1865" in refusal(capsys, model, "--to", to, "--output", out)
    assert not out.exists()


def test_an_adapter_without_its_base_is_refused(speaking, tmp_path, capsys):
    adapter, out = tmp_path / "adapter", tmp_path / "out"
    shutil.copytree(speaking.peft, adapter)
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "somebody/elsewhere"
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    line = refusal(capsys, adapter, "--to", "hf", "--output", out)
    assert "somebody/elsewhere" in line
    assert "--base" in line
    line = refusal(capsys, speaking.own, "--output", out)
    assert "--base" in line


@pytest.mark.parametrize("to", ["openai", "ctranslate2", "ggml", "onnx"])
def test_a_runtime_that_is_missing_is_named(
    speaking, tmp_path, capsys, monkeypatch, to
):
    find = importlib.util.find_spec
    missing = ("whisper", "faster_whisper", "pywhispercpp", "onnxruntime")
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda x, *_: None if x in missing else find(x)
    )
    out = tmp_path / "out"
    words = ("--to", to, "--output", out, "--check", speaking.data)
    assert "pip install 'espnet_merge[" in refusal(capsys, speaking.hf, *words)
    assert not out.exists()
