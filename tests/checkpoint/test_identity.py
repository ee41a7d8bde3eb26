import hashlib
import json

from espnet_merge.checkpoint.identity import files_digest, model_files

DECIDE = {
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "merges.txt",
    "added_tokens.json",
    "normalizer.json",
}
TELL = {
    "trainer_state.json",
    "all_results.json",
    "training_args.bin",
    "optimizer.pt",
    "fetch.json",
    "merge.yaml",
    "model.safetensors.index.fp32.json",
    "model.fp32-00001-of-00002.safetensors",
    "README.md",
}


def names(directory):
    return {file.name for file in model_files(directory)}


def test_files_that_decide_a_model_and_files_that_do_not(tmp_path):
    for name in DECIDE | TELL:
        (tmp_path / name).write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"weights")
    assert names(tmp_path) == DECIDE | {"pytorch_model.bin"}
    (tmp_path / "model.safetensors").write_bytes(b"these are read")
    assert names(tmp_path) == DECIDE | {"model.safetensors"}


def test_shards_of_either_format(tmp_path):
    for index, shard in (
        ("pytorch_model.bin.index.json", "pytorch_model-1-of-1.bin"),
        ("model.safetensors.index.json", "model-1-of-1.safetensors"),
    ):
        (tmp_path / index).write_text(json.dumps({"weight_map": {"a": shard}}))
        (tmp_path / shard).write_bytes(b"weights")
        assert names(tmp_path) == {index, shard}


def test_adapters_and_mixtures(tmp_path):
    for config, weights in (
        ("adapter_config.json", "adapter_model.safetensors"),
        ("adapter_config.json", "adapter_model.bin"),
        ("mixture_config.json", "mixture.safetensors"),
    ):
        directory = tmp_path / weights
        directory.mkdir()
        (directory / config).write_text("{}")
        (directory / weights).write_bytes(b"weights")
        assert names(directory) == {config, weights}


def test_the_digest_is_of_names_and_content(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    empty = hashlib.sha256(b"{}").hexdigest()
    line = f"config.json {empty}\n".encode()
    assert files_digest(tmp_path) == hashlib.sha256(line).hexdigest()
    (tmp_path / "config.json").rename(tmp_path / "vocab.json")
    assert files_digest(tmp_path) != hashlib.sha256(line).hexdigest()
