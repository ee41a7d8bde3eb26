"""What a merged model has beside its weights, and from whom."""

import json

import pytest
import yaml

from espnet_merge.__main__ import main
from espnet_merge.checkpoint.side_files import borrowed
from tests.checkpoint.build import fine_tuned, whisper_tensors, write_checkpoint

STORY = {
    "trainer_state.json",
    "all_results.json",
    "fetch.json",
    "export.yaml",
    "training_args.bin",
    "model.safetensors.index.fp32.json",
    "notes.txt",
    "README.md",
}


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = whisper_tensors()
    write_checkpoint(tmp_path / "base", base)
    for seed in (1, 2):
        write_checkpoint(tmp_path / f"e{seed}", fine_tuned(base, seed))
    return tmp_path


def merge(*options):
    inputs = ("--base", "base", "--experts", "e1", "e2", "--output", "out")
    main(["merge", "--method", "soup", *inputs, *options])


def put(directory, **files):
    for name, content in files.items():
        file = directory / f"{name}.json"
        file.write_text(json.dumps(content), encoding="utf-8")


def test_the_story_of_the_base_is_not_copied(models):
    for name in STORY:
        (models / "base" / name).write_text("{}")
    put(models / "base", vocab={"a": 0}, generation_config={}, normalizer={})
    merge()
    assert {file.name for file in (models / "out").iterdir()} == {
        *("model.safetensors", "config.json", "merge.yaml", "generation_config.json"),
        *("vocab.json", "tokenizer_config.json", "normalizer.json", "README.md"),
    }
    assert (models / "out" / "README.md").read_text() != "{}"


def test_a_tokenizer_that_the_base_lacks_is_an_experts(models, capsys):
    merge("--dry-run")
    assert "warning: no input has a tokenizer" in capsys.readouterr().err
    put(models / "base", tokenizer_config={"of": "base"})
    put(models / "e2", vocab={"a": 0}, added_tokens={"b": 1}, preprocessor_config={})
    put(models / "e2", tokenizer_config={"of": "e2"}, generation_config={})
    merge()
    assert "warning" not in capsys.readouterr().err
    out = models / "out"
    for name in ("vocab", "added_tokens", "tokenizer_config", "preprocessor_config"):
        file = f"{name}.json"
        assert (out / file).read_bytes() == (models / "e2" / file).read_bytes()
    assert not (out / "generation_config.json").exists()
    copied = yaml.safe_load((out / "merge.yaml").read_text())["copied"]
    assert list(copied) == [
        "base/config.json",
        "e2/added_tokens.json",
        "e2/tokenizer_config.json",
        "e2/vocab.json",
        "e2/preprocessor_config.json",
    ]


def test_the_files_of_a_tokenizer_stay_together(tmp_path):
    for name, files in {"a": {"merges"}, "b": {"vocab"}, "c": {"vocab", "x"}}.items():
        (tmp_path / name).mkdir()
        put(tmp_path / name, **{key: {} for key in files}, special_tokens_map={})
    found = borrowed([tmp_path / name for name in "abc"])
    assert found == [
        tmp_path / "b" / "special_tokens_map.json",
        tmp_path / "b" / "vocab.json",
    ]
    assert borrowed([tmp_path / "a"]) == [tmp_path / "a" / "special_tokens_map.json"]


def test_replay_knows_what_was_copied(models, capsys):
    put(models / "base", vocab={"a": 0})
    merge()
    main(["replay", "out"])
    put(models / "base", vocab={"a": 0, "b": 1})
    with pytest.raises(SystemExit):
        main(["replay", "out"])
    assert "copied: base/vocab.json has changed" in capsys.readouterr().err
    record = models / "out" / "merge.yaml"
    content = yaml.safe_load(record.read_text())
    del content["copied"]  # as older versions wrote it
    record.write_text(yaml.safe_dump(content))
    main(["replay", "out"])
