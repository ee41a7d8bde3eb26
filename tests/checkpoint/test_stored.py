import json

import pytest
import yaml

from espnet_merge.checkpoint.stored import check_sizes, sizes_of
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
    check_sizes(tmp_path)
    (tmp_path / "other.pt").write_bytes(b"1234")
    check_sizes(tmp_path / "model.safetensors")
    for path in (tmp_path, tmp_path / "other.pt"):
        with pytest.raises(InputError, match=f"5 bytes, as {record} .* it has 4"):
            check_sizes(path)


def test_records_of_older_versions_say_nothing_of_sizes(tmp_path):
    (tmp_path / "merge.yaml").write_text("method: soup\n")
    check_sizes(tmp_path)
    for damaged in ("- a", "bytes: 5", "bytes: [1]", "a: [", b"\xff"):
        data = damaged if isinstance(damaged, bytes) else damaged.encode()
        (tmp_path / "merge.yaml").write_bytes(data)
        with pytest.raises(InputError, match="it is damaged"):
            check_sizes(tmp_path)
