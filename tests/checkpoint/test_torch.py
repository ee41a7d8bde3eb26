"""PyTorch files: read as torch does, written so that torch reads them, never run."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from espnet_merge.checkpoint.names import PLAIN
from espnet_merge.checkpoint.opened import Checkpoint
from espnet_merge.checkpoint.torch_read import read_torch, tensors_of
from espnet_merge.checkpoint.torch_write import ALIGNMENT, TorchWriter
from espnet_merge.errors import InputError
from tests.hostile import Touch

TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def bits(tensor):
    """Return the bytes of a tensor of any type."""
    flat = tensor.contiguous().reshape(-1).view(torch.uint8)
    return flat.numpy().tobytes()


def read(path):
    entries = tensors_of(path, read_torch(path))
    opened = Checkpoint(path, entries, {}, (path,))
    return {
        name: (entry.dtype, entry.shape, opened.stored(name).tobytes())
        for name, entry in entries.items()
    }


@pytest.fixture
def tensors():
    torch.manual_seed(0)
    some = {name: torch.randn(3, 4).mul(9).to(kind) for name, kind in TYPES.items()}
    table = torch.randn(4, 6)
    some |= {"whole": table, "rows": table[1:3], "turned": table.T}
    some |= {"columns": table[:, ::2], "one": torch.tensor(7), "none": torch.empty(0)}
    return some | {"trained": torch.nn.Parameter(table[0])}


@pytest.mark.parametrize("old", [False, True])
def test_reads_what_torch_wrote(tensors, tmp_path, old):
    path = tmp_path / "x.pth"
    torch.save(tensors, path, _use_new_zipfile_serialization=not old)
    found = read(path)
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        _, shape, stored = found[name]
        assert (shape, stored) == (tuple(tensor.shape), bits(tensor.detach()))
    assert {name: found[name][0] for name in TYPES} == {name: name for name in TYPES}


def test_reads_a_state_dict_with_its_versions(tmp_path):
    model = torch.nn.BatchNorm1d(3)
    torch.save(model.state_dict(), tmp_path / "x.pth")
    assert read(tmp_path / "x.pth")["num_batches_tracked"][:2] == ("I64", ())


@pytest.mark.parametrize("mmap", [False, True])
def test_torch_reads_what_is_written(tensors, tmp_path, mmap):
    torch.save({name: tensors[name] for name in TYPES}, tmp_path / "x.pth")
    found, path = read(tmp_path / "x.pth"), tmp_path / "y.pt"
    plan = {name: (dtype, shape) for name, (dtype, shape, _) in found.items()}
    writer = TorchWriter(path, plan, PLAIN, {"copy": "F32"}, {"n_vocab": 70000})
    chunks = {name: np.frombuffer(stored, "u1") for name, (*_, stored) in found.items()}
    with writer:
        for name, flat in chunks.items():
            writer.begin(name)
            for bits in (flat[:5], flat[5:]):
                writer.put(bits)
    again = torch.load(path, weights_only=True, mmap=mmap)
    assert again["dims"] == {"n_vocab": 70000}
    state = again["model_state_dict"]
    for name in TYPES:
        assert state[name].dtype == TYPES[name]
        assert torch.equal(state[name], tensors[name])
    assert state["copy"].data_ptr() == state["F32"].data_ptr()
    assert zipfile.ZipFile(path).testzip() is None
    content = read_torch(path)["model_state_dict"]
    assert all(entry.start % ALIGNMENT == 0 for entry in content.values())


@pytest.mark.parametrize("kind", ["archive", "older", "pickle"])
def test_code_in_a_file_is_never_run(tmp_path, kind):
    path, made = tmp_path / "x.pth", tmp_path / "made"
    content = {"w": torch.zeros(2), "x": Touch(made)}
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Touch(made)))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "archive")
    expected = "neither an archive" if kind == "pickle" else "asks for .*mkdir.*never"
    with pytest.raises(InputError, match=expected):
        read_torch(path)
    assert not made.exists()
    if kind != "pickle":
        torch.load(path, weights_only=False)
        assert made.exists(), "the file would have run code"


def view(offset, shape, strides, size=4):
    """Return a file's bytes whose tensor claims to be somewhere else."""
    storage = ("storage", torch.FloatStorage, "0", "cpu", size)

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return storage if value == "here" else None

    class Tensor:
        def __reduce__(self):
            rebuild = torch._utils._rebuild_tensor_v2
            return rebuild, ("here", offset, shape, strides, False, {})

    def write(path):
        with zipfile.ZipFile(path, "w") as archive:
            with archive.open("a/data.pkl", "w") as file:
                Pickler(file, 2).dump({"w": Tensor()})
            archive.writestr("a/data/0", bytes(16))

    return write


def resave(content):
    return lambda path: torch.save(content, path)


def cut(path):
    torch.save({"w": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:-2000])


def compressed(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}))


def old_cut(path):
    content = {"w": torch.zeros(1000)}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-9])


BAD = {
    "beyond its storage": (view(3, (2,), (1,)), "not inside its storage"),
    "before its storage": (view(-1, (2,), (1,)), "not inside its storage"),
    "larger than its storage": (view(0, (2**40,), (0,)), "not inside its storage"),
    "half a number": (view(0, (1.5,), (1,)), "not inside its storage"),
    "storage beyond the file": (view(0, (1,), (1,), 2**40), "data/0 holds 16 bytes"),
    "truncated": (cut, "must be a whole PyTorch file.*the archive is cut off"),
    "older, truncated": (old_cut, "cut off"),
    "text": (lambda path: path.write_text("hello"), "neither an archive nor"),
    "empty": (lambda path: path.write_bytes(b""), "neither an archive nor"),
    "other zip": (
        lambda path: zipfile.ZipFile(path, "w").close(),
        "0 members data.pkl",
    ),
    "compressed": (compressed, "compressed"),
    "a list": (resave([torch.zeros(1)]), "a dictionary of tensors, got list"),
    "a module": (resave(torch.nn.Linear(1, 1)), r"asks for torch.nn.*Linear"),
    "nothing": (resave({}), "holds no tensor"),
    "training state": (
        resave({"model": {"w": torch.zeros(1)}, "optimizers": []}),
        "model is no tensor but dict; give a file of weights alone",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_refused_in_one_line(tmp_path, kind):
    write, message = BAD[kind]
    path = Path(tmp_path / "x.pth")
    write(path)
    with pytest.raises(InputError, match=message) as error:
        tensors_of(path, read_torch(path))
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_whatever_is_damaged_is_refused_or_stays_inside_the_file(tmp_path):
    path, rng = tmp_path / "x.pth", np.random.default_rng(0)
    torch.save({f"w{i}": torch.ones(2, 3) for i in range(3)}, path)
    good = path.read_bytes()
    cuts = [good[:size] for size in range(0, len(good), 41)]
    flips = []
    for place in range(0, len(good), 3):
        bad = bytearray(good)
        bad[place] = rng.integers(256)
        flips.append(bytes(bad))
    refused = []
    for content in cuts + flips:
        path.write_bytes(content)
        try:
            entries = tensors_of(path, read_torch(path))
        except InputError as error:
            refused.append(str(error))
            continue
        for name, entry in entries.items():
            opened = Checkpoint(path, entries, {}, (path,))
            assert opened.stored(name).size == entry.size
    assert len(refused) > len(cuts)
    assert not any("\n" in message for message in refused)
