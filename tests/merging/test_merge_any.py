"""Every method through the whole merge, on models of any shapes, types and ranks."""

import contextlib
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from espnet_merge.checkpoint import open_checkpoint
from espnet_merge.errors import InputError
from espnet_merge.merging.loop import run
from espnet_merge.merging.merge import Merge
from espnet_merge.methods import METHODS, build_method
from tests.statistics_of import KINDS as KINDS_OF_STATISTICS
from tests.statistics_of import statistics_of

# One of each role; a shape is drawn by its number of sides.
SIDES = {
    "model.encoder.layers.0.fc1.weight": 2,
    "model.encoder.layers.0.self_attn.q_proj.weight": 2,
    "model.encoder.layers.1.fc1.weight": 2,
    "model.decoder.embed_tokens.weight": 2,
    "model.encoder.conv1.weight": 3,
    "model.encoder.layers.0.fc1.bias": 1,
    "scalar": 0,
}
KINDS = ("full", "low rank", "zero", "same", "opposite", "tiny", "huge")
TYPES = (torch.float32, torch.float16, torch.bfloat16)
LARGE = 1e3


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Do not wait for the disk, hundreds of times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda handle: None)
        yield


@st.composite
def models(draw, count):
    """Return a base, then ``count`` experts, each a dictionary of tensors."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = st.integers(1, 9)
    base = {
        name: rng.normal(size=[draw(sizes) for _ in range(sides)]).astype(np.float32)
        for name, sides in SIDES.items()
    }
    deltas: list[dict[str, np.ndarray]] = []
    for _ in range(count):
        delta = {}
        for name, value in base.items():
            kind = draw(st.sampled_from(KINDS))
            first = deltas[0][name] if deltas else 0 * value
            delta[name] = delta_of(kind, value.shape, rng, first)
        # Or the expert might be the base, or another one.
        delta["scalar"] = np.array(3.0 + len(deltas))
        deltas.append(delta)
    types = [draw(st.sampled_from(TYPES)) for _ in range(count + 1)]
    values = [base, *({n: base[n] + delta[n] for n in base} for delta in deltas)]
    return [
        {name: torch.from_numpy(np.asarray(x, np.float32)).to(kind)
         for name, x in model.items()}
        for model, kind in zip(values, types, strict=True)
    ]  # fmt: skip


def delta_of(kind, shape, rng, first):
    if kind in ("same", "opposite"):
        return first if kind == "same" else -first
    if kind == "low rank" and len(shape) == 2:
        return rng.normal(size=(shape[0], 1)) @ rng.normal(size=(1, shape[1]))
    size = {"zero": 0.0, "tiny": 1e-12, "huge": LARGE}.get(kind, 0.01)
    return size * rng.normal(size=shape)


def write(root, contents):
    """Write the models, as ``base`` and numbered experts."""
    for number, tensors in enumerate(contents):
        path = root / (str(number) if number else "base")
        path.mkdir()
        save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
        (path / "config.json").write_text("{}")
    return sorted(root.glob("*/*"))


def merge(root, method, count, output="out"):
    params = {}
    if kind := KINDS_OF_STATISTICS.get(method):
        experts = [str(i + 1) for i in range(count)]
        params["statistics"] = statistics_of(root, kind, "base", experts)
    run(
        [
            Merge(
                method=build_method(method, params),
                base=open_checkpoint(root / "base"),
                experts=[open_checkpoint(root / str(i + 1)) for i in range(count)],
                output=root / output,
            )
        ]
    )
    return load_file(root / output / "model.safetensors")


@contextlib.contextmanager
def directory():
    """Give a directory to one example; a fixture would be shared by all of them."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name, "models")  # statistics are written beside it
        root.mkdir()
        yield root


def counts(method):
    kind = METHODS[method]
    least = max(kind.min_experts, getattr(kind(), "agreement", 1))
    return st.integers(least, min(kind.max_experts or 4, 4))


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=8, deadline=None, derandomize=True)
@given(data=st.data())
def test_the_result_is_finite_and_moves_no_further_than_all_together(method, data):
    count = data.draw(counts(method))
    contents = data.draw(models(count))
    with directory() as root:
        files = write(root, contents)
        before = [file.read_bytes() for file in files]
        merged = merge(root, method, count)
        assert [file.read_bytes() for file in files] == before
        again = merge(root, method, count, "again")
    base, *experts = ({n: x.double() for n, x in model.items()} for model in contents)
    for name, value in merged.items():
        assert value.shape == base[name].shape
        assert value.dtype == torch.float32
        assert value.numpy().tobytes() == again[name].numpy().tobytes()
        assert value.isfinite().all()
        moved = [(expert[name] - base[name]).norm() for expert in experts]
        # A method that drops entries at random scales up the others, tenfold at most,
        # one that boosts brings all directions of a matrix to the largest.
        stretch = 10 * max(1, *value.shape) ** 0.5 if value.ndim else 10
        rounding = 1e-5 * (1 + base[name].norm() + sum(moved))
        found = (value.double() - base[name]).norm()
        assert found <= stretch * sum(moved) + rounding, name


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=4, deadline=None, derandomize=True)
@given(data=st.data())
def test_nan_and_inf_anywhere_are_named(method, data):
    count = data.draw(counts(method))
    contents = data.draw(models(count))
    name = data.draw(st.sampled_from(sorted(SIDES)))
    # Where a method does not need the base, its weights are not read.
    number = data.draw(st.integers(0 if METHODS[method].base else 1, count))
    tensor = contents[number][name].reshape(-1)
    place = data.draw(st.integers(0, tensor.numel() - 1))
    tensor[place] = data.draw(st.sampled_from([float("nan"), float("inf")]))
    with directory() as root:
        write(root, contents)
        before = sorted(root.iterdir())
        with pytest.raises(InputError, match="holds NaN or Inf") as error:
            merge(root, method, count)
        assert sorted(root.iterdir()) == before
    assert name in str(error.value)
    assert f"{number or 'base'}/model.safetensors" in str(error.value)
