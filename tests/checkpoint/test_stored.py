import json

import pytest
import yaml

from espnet_merge.__main__ import main
from espnet_merge.checkpoint.stored import POINTER, check_stored, sizes_of
from espnet_merge.errors import InputError


@pytest.mark.parametrize(
    ("record", "write"),
    [
        ("merge.yaml", yaml.safe_dump),
        ("export.yaml", yaml.safe_dump),
        ("fetch.json", json.dumps),
    ],
)
def test_weights_have_the_size_that_a_record_says(tmp_path, record, write):
    for name in ("model.safetensors", "config.json", "other.pt"):
        (tmp_path / name).write_bytes(b"12345")
    sizes = sizes_of(tmp_path)
    assert sizes == {"bytes": {"model.safetensors": 5, "other.pt": 5}}
    (tmp_path / record).write_text(write({"source": "x", **sizes}))
    (tmp_path / "config.json").write_text("{}")
    check_stored(tmp_path)
    (tmp_path / "other.pt").write_bytes(b"1234")
    check_stored(tmp_path / "model.safetensors")
    for path in (tmp_path, tmp_path / "other.pt"):
        with pytest.raises(InputError, match=f"5 bytes, as {record} .* it has 4"):
            check_stored(path)


def test_records_of_older_versions_say_nothing_of_sizes(tmp_path):
    (tmp_path / "merge.yaml").write_text("method: soup\n")
    check_stored(tmp_path)
    for damaged in ("- a", "bytes: 5", "bytes: [1]", "a: [", b"\xff"):
        data = damaged if isinstance(damaged, bytes) else damaged.encode()
        (tmp_path / "merge.yaml").write_bytes(data)
        with pytest.raises(InputError, match="it is damaged"):
            check_stored(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "small.pt"])
def test_a_pointer_of_git_lfs_is_no_file(tmp_path, name):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    (tmp_path / name).write_text(pointer)
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(InputError, match=f"{name}: .* run 'git lfs pull' in"):
            check_stored(path)


@pytest.mark.parametrize("command", ["merge", "decode", "fetch"])
def test_commands_name_the_remedy_of_a_pointer(tmp_path, capsys, command):
    (tmp_path / "model.safetensors").write_bytes(POINTER + b"v1\n")
    (tmp_path / "config.json").write_text("{}")
    path = str(tmp_path)
    words = {
        "merge": ["--method", "soup", "--base", path, "--experts", path],
        "decode": ["--model", path, "--data", path],
        "fetch": [path],
    }[command]
    with pytest.raises(SystemExit) as end:
        main([command, *words, "--output", str(tmp_path / "out")])
    assert end.value.code == 2
    assert "git lfs pull" in capsys.readouterr().err
