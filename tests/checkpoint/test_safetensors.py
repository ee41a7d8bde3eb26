import json
import struct
import tracemalloc

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from espnet_merge.checkpoint.dtypes import to_float, to_stored
from espnet_merge.checkpoint.opened import Checkpoint
from espnet_merge.checkpoint.safetensors import read_header
from espnet_merge.errors import InputError


def file_of(path, header, data=b""):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data)
    return path


def entry(**changes):
    return {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes}


def test_reads_what_the_reference_writes(tmp_path):
    tensors = {
        "b": torch.arange(6, dtype=torch.bfloat16).reshape(2, 3),
        "a": torch.tensor(1.5),
        "c": torch.zeros(0, 4),
    }
    save_file(tensors, tmp_path / "x.safetensors", metadata={"format": "pt"})
    found = read_header(tmp_path / "x.safetensors")
    assert {n: e.shape for n, e in found.items()} == {"a": (), "b": (2, 3), "c": (0, 4)}
    assert found["b"].dtype == "BF16"
    assert found["b"].nbytes == 12


BAD = {
    "empty": (b"", "not a whole safetensors file"),
    "a pickle": (b"\x80\x02}q\x00." * 9, "not a whole safetensors file"),
    "2^62 bytes of header": (struct.pack("<Q", 1 << 62) + b"{}", "not a whole"),
    "cut in the header": (struct.pack("<Q", 100) + b'{"x"', "not a whole"),
}


@pytest.mark.parametrize("kind", BAD)
def test_refuses_what_is_no_safetensors_file(tmp_path, kind):
    content, message = BAD[kind]
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=f"x.safetensors: {message}"):
        read_header(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("header", "data", "message"),
    [
        (b"not json at all", b"", "header is not valid"),
        (b"[1, 2]", b"", "header is not valid"),
        (b"[" * 20000, b"", "header is not valid"),
        (entry(dtype="F8"), bytes(8), "unknown dtype F8"),
        (entry(shape=[-2]), bytes(8), "shape"),
        (entry(shape=[1 << 62]), bytes(8), "8 bytes for F32"),
        (entry(data_offsets=[8, 16]), bytes(16), "starts at byte"),
        ({"x": {"dtype": "F32"}}, bytes(8), "header is not valid"),
        (entry(), bytes(7), "truncated"),
        (entry(), bytes(9), "longer than its header says"),
        ({"x": entry()["x"], "y": entry()["x"]}, bytes(8), "starts at byte"),
        (entry() | {"y": entry(data_offsets=[4, 12])["x"]}, bytes(12), "starts at"),
        (entry() | {"y": entry(data_offsets=[9, 17])["x"]}, bytes(17), "starts at"),
        (entry(data_offsets=[-8, 0]), bytes(8), "starts at byte"),
        (entry(data_offsets=[0.0, 8.0]), bytes(8), "data_offsets"),
        (entry(data_offsets=["0", "8"]), bytes(8), "header is not valid"),
        (entry(shape="12"), bytes(8), "shape"),
    ],
)
def test_refuses_headers_that_lie(tmp_path, header, data, message):
    with pytest.raises(InputError, match=message) as caught:
        read_header(file_of(tmp_path / "x.safetensors", header, data))
    assert str(tmp_path / "x.safetensors") in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 1 << 62) + b"{}",
        struct.pack("<Q", 99_000_000) + b"{}",
        struct.pack("<Q", 75) + json.dumps(entry(shape=[1 << 60])).encode().ljust(75),
    ],
    ids=["2^62 bytes of header", "99 MB of header", "2^60 numbers"],
)
def test_what_a_header_claims_is_not_allocated(tmp_path, content):
    (tmp_path / "x.safetensors").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(InputError):
            read_header(tmp_path / "x.safetensors")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_whatever_is_damaged_is_refused_or_stays_inside_the_file(tmp_path):
    path, rng = tmp_path / "x.safetensors", np.random.default_rng(0)
    save_file({f"w{i}": torch.ones(2, 3) for i in range(3)}, path)
    good = path.read_bytes()
    header = 8 + struct.unpack("<Q", good[:8])[0]
    damaged = [good[:size] for size in range(0, len(good), 7)]
    for place in range(header):
        bad = bytearray(good)
        bad[place] = rng.choice(list(b'019-.,:"[]{}eFx\xff\x00'))
        damaged.append(bytes(bad))
    refused = []
    for content in damaged:
        path.write_bytes(content)
        try:
            entries = read_header(path)
        except InputError as error:
            refused.append(str(error))
            continue
        opened = Checkpoint(path, entries, {}, (path,))
        for name, found in entries.items():
            assert opened.stored(name).size == found.size
    assert len(refused) > len(damaged) // 2
    assert not any("\n" in message for message in refused)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none.safetensors: no such file"):
        read_header(tmp_path / "none.safetensors")


@pytest.mark.parametrize("dtype", ["BF16", "F16"])
def test_rounds_as_torch_does(dtype):
    values = np.random.default_rng(0).normal(size=10000).astype(np.float32)
    kind = {"BF16": torch.bfloat16, "F16": torch.float16}[dtype]
    expected = torch.from_numpy(values).to(kind)
    stored = to_stored(values, dtype)
    assert stored.tobytes() == expected.view(torch.int16).numpy().tobytes()
    back = to_float(stored, dtype, "float32")
    np.testing.assert_array_equal(back, expected.float().numpy())


def test_a_writer_splits_into_shards_that_the_reference_reads(tmp_path):
    from espnet_merge.checkpoint.hf import Writer, open_hf

    tensors = {name: np.full(4, i, np.float32) for i, name in enumerate("abcde")}
    plan = dict.fromkeys(tensors, ("F32", (2, 2)))
    chunks = {name: [value[:1], value[1:]] for name, value in tensors.items()}
    with Writer(tmp_path, plan, max_shard=32) as writer:
        for name, parts in chunks.items():
            writer.begin(name)
            for bits in parts:
                writer.put(bits)
    (tmp_path / "config.json").write_text("{}")
    shards = sorted(tmp_path.glob("*.safetensors"))
    assert [path.name for path in shards] == [
        f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)
    ]
    loaded = {k: v for shard in shards for k, v in load_file(shard).items()}
    assert {k: v.unique().item() for k, v in loaded.items()} == dict(
        zip("abcde", range(5), strict=True)
    )
    opened = open_hf(tmp_path)
    assert opened.read("d").tolist() == [3.0] * 4
    shards[0].unlink()
    with pytest.raises(InputError, match=r"00001-of-00003.safetensors: no such file"):
        open_hf(tmp_path)


def test_every_half_is_read_as_numpy_reads_it():
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = halves[np.isfinite(halves)]
    for stored in (halves, finite, finite[:0]):
        for compute in ("float32", "float64"):
            with np.errstate(invalid="ignore"):
                found = to_float(stored, "F16", compute)
                expected = stored.astype(compute)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
            np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))
