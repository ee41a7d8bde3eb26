"""A merge does not depend on the format of what goes in, nor of what comes out."""

import shutil

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load_file
from transformers import WhisperForConditionalGeneration, WhisperProcessor

from espnet_merge.__main__ import main
from espnet_merge.checkpoint import open_checkpoint
from tests.formats import openai_name, weights_of, write_all, write_conformer

FORMS = ("bin", "shards", "openai.pt", "task/valid.loss.ave.pth", "own/10epoch.pth")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Models of one micro Whisper; write only below a directory of your own."""
    return write_all(tmp_path_factory.mktemp("formats"))


def merge(output, base, *experts, method="task_arithmetic", extra=()):
    main(
        [
            "merge",
            *("--method", method, "--base", str(base), "--output", str(output)),
            *("--experts", *map(str, experts), *extra),
        ]
    )
    return output


@pytest.mark.parametrize("form", FORMS)
def test_formats_mix_and_give_the_same_bits(models, tmp_path, form):
    base, other = models / "base", models / "other"
    expected = merge(tmp_path / "expected", base, models / "hf", other)
    found = merge(tmp_path / "found", base, models / form, other)
    name = "model.safetensors"
    assert (found / name).read_bytes() == (expected / name).read_bytes()
    record = yaml.safe_load((found / "merge.yaml").read_text())
    assert record["experts"][0]["sha256"].keys() != {name, "config.json"}


@pytest.mark.parametrize("form", ["openai", "espnet"])
def test_round_trips_are_bit_exact(models, tmp_path, form):
    base, original = models / "base", models / "hf"
    extra = ("--format", form)
    there = merge(tmp_path / "there", base, original, method="soup", extra=extra)
    back = merge(tmp_path / "back", base, there, method="soup")
    found = load_file(back / "model.safetensors")
    for name, value in load_file(original / "model.safetensors").items():
        assert found[name].tobytes() == value.tobytes()
    for file in ("config.json", "vocab.json", "generation_config.json"):
        assert (back / file).exists() == (original / file).exists()


def test_openai_file_is_what_openai_whisper_loads(models, tmp_path):
    out = merge(
        *(tmp_path / "o", models / "base", models / "hf"),
        extra=("--format", "openai", "--set", "scale=1"),
    )
    names = sorted(file.name for file in out.iterdir())
    assert names == ["README.md", "merge.yaml", "model.pt"]
    written = torch.load(out / "model.pt", weights_only=True)
    theirs = torch.load(models / "openai.pt", weights_only=True)
    assert written["dims"] == theirs["dims"]
    state = written["model_state_dict"]
    assert state.keys() == theirs["model_state_dict"].keys()
    for name, value in theirs["model_state_dict"].items():
        torch.testing.assert_close(state[name], value, rtol=0, atol=1e-6)


def test_the_base_says_the_format_of_the_result(models, tmp_path):
    out = merge(tmp_path / "o", models / "base.pt", models / "hf", method="soup")
    assert open_checkpoint(out).format == "openai"
    expected = weights_of(models / "hf")
    state = torch.load(out / "model.pt", weights_only=True)["model_state_dict"]
    for name, value in expected.items():
        assert torch.equal(state[openai_name(name)], value)


def test_a_merge_of_experiments_is_an_experiment(models, tmp_path):
    expert = models / "task" / "valid.loss.ave.pth"
    extra = ("--format", "espnet")
    out = merge(tmp_path / "o", models / "base", expert, method="soup", extra=extra)
    settings = expert.parent / "config.yaml"
    assert (out / "config.yaml").read_bytes() == settings.read_bytes()
    theirs = torch.load(expert, weights_only=True)
    found = torch.load(out / "model.pth", weights_only=True)
    assert found.keys() == theirs.keys()
    assert all(torch.equal(found[name], theirs[name]) for name in theirs)


def test_any_model_of_espnets_is_merged_by_name(tmp_path):
    tokens = {"token_list": ["a", "b"]}
    base = write_conformer(tmp_path / "b" / "1.pth", 0, **tokens)
    experts = [
        write_conformer(
            tmp_path / f"e{i}" / "1.pth", i, encoder_conf={"dropout_rate": i}, **tokens
        )
        for i in (1, 2)
    ]
    out = merge(tmp_path / "out", base, *experts, method="soup")
    merged = torch.load(out / "model.pth", weights_only=True)
    first, one, two = (torch.load(p, weights_only=True) for p in (base, *experts))
    for name, value in merged.items():
        integer = name.endswith("tracked")
        expected = first[name] if integer else (one[name] + two[name]) / 2
        torch.testing.assert_close(value, expected)
    assert yaml.safe_load((out / "config.yaml").read_text())["encoder"] == "conformer"
    again = open_checkpoint(out)
    assert np.array_equal(again.read("ctc.ctc_lo.bias"), merged["ctc.ctc_lo.bias"])


@torch.no_grad()
def test_a_merged_model_runs_in_transformers(models, tmp_path):
    experts = models / "hf", models / "other"
    out = merge(tmp_path / "o", models / "base", *experts, method="soup")
    noise = 0.1 * np.random.default_rng(0).standard_normal(16_000)

    def generate(directory, weights=None):
        model = WhisperForConditionalGeneration.from_pretrained(directory).eval()
        if weights:
            model.load_state_dict(weights, strict=False)
        processor = WhisperProcessor.from_pretrained(directory)
        features = processor(noise, sampling_rate=16_000, return_tensors="pt")
        tokens = model.generate(features.input_features, max_new_tokens=12)
        start = model.config.decoder_start_token_id
        scores = model(
            features.input_features, decoder_input_ids=torch.tensor([[start]])
        )
        return processor.decode(tokens[0]), scores.logits

    one, two = map(weights_of, experts)
    mean = {name: (one[name] + two[name]) / 2 for name in one}
    text, scores = generate(out)
    expected_text, expected_scores = generate(models / "base", mean)
    assert text == expected_text
    torch.testing.assert_close(scores, expected_scores, rtol=0, atol=1e-5)
    assert not torch.allclose(scores, generate(models / "base")[1], rtol=0, atol=1e-3)


def conformers(root, **config):
    write_conformer(root / "b" / "1.pth", 0, token_list=["a", "b"])
    write_conformer(root / "e" / "1.pth", 1, **{"token_list": ["a", "b"]} | config)
    return root / "b" / "1.pth", root / "e" / "1.pth"


def cut(models, root):
    shutil.copytree(models / "bin", root / "bin")
    path = root / "bin" / "pytorch_model.bin"
    path.write_bytes(path.read_bytes()[:-1000])
    return models / "base", root / "bin"


def both(models, root):
    shutil.copytree(models / "hf", root / "both")
    (root / "both" / "adapter_config.json").write_text("{}")
    return models / "base", root / "both"


def file_of_hf(models, root):
    del root
    return models / "base", models / "bin" / "pytorch_model.bin"


BAD = {
    "other tokens": (
        lambda _, root: conformers(root, token_list=["b", "a"]),
        (),
        "another token_list",
    ),
    "other encoder": (
        lambda _, root: conformers(root, encoder="transformer"),
        (),
        "encoder is transformer, but conformer in",
    ),
    "no whisper": (
        lambda models, root: (models / "base", conformers(root)[1]),
        (),
        "is missing",
    ),
    "no place in openai": (
        lambda _, root: conformers(root),
        ("--format", "openai"),
        "OpenAI's Whisper has no place for it",
    ),
    "no tokenizer": (
        lambda models, _: (models / "base.pt", models / "own" / "10epoch.pth"),
        ("--format", "hf"),
        "--format hf needs config.json and tokenizer",
    ),
    "no heads": (
        lambda models, root: (
            models / "own" / "10epoch.pth",
            shutil.copy(models / "own" / "10epoch.pth", root / "alone.pth"),
        ),
        ("--format", "openai"),
        "needs encoder_attention_heads",
    ),
    "truncated": (cut, (), "must be a whole PyTorch file"),
    "model and adapter": (both, (), "holds a model and an adapter"),
    "experiment": (
        lambda models, _: (models / "base", models / "task"),
        (),
        "an ESPnet experiment, give one of its files, such as valid.loss.ave.pth",
    ),
    "file of a directory": (file_of_hf, (), "give the directory that holds them"),
    "base in another format": (
        lambda models, _: (models / "base", models / "base.pt"),
        (),
        "holds the same weights as the base",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(models, tmp_path, capsys, kind):
    prepare, extra, message = BAD[kind]
    base, expert = prepare(models, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SystemExit) as stop:
        merge(tmp_path / "out", base, expert, method="soup", extra=extra)
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
