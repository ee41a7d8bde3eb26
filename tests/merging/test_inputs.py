"""What a method sees of a tensor."""

import numpy as np
import pytest

from espnet_merge.checkpoint import open_checkpoint
from espnet_merge.merging.inputs import Inputs, LazyArrays
from espnet_merge.methods import Method, TensorInfo
from espnet_merge.methods.dare import Dare
from espnet_merge.methods.model_stock import ModelStock
from tests.checkpoint.build import fine_tuned, whisper_tensors, write_checkpoint


class Whole(Method):
    """Takes the matrices whole."""

    def is_matrix(self, info):
        return len(info.shape) == 2

    def __call__(self, tensors, info):
        return tensors[0]


@pytest.fixture
def inputs(tmp_path):
    base = whisper_tensors()
    for name, tensors in (("base", base), ("e1", fine_tuned(base, 1))):
        write_checkpoint(tmp_path / name, tensors)
    base, expert = (open_checkpoint(tmp_path / name) for name in ("base", "e1"))
    return Inputs(base, [expert, expert])


def test_a_matrix_is_whole_and_its_experts_are_made_when_asked_for(inputs):
    name = "model.encoder.layers.0.fc1.weight"
    ((info, tensors),) = inputs.parts(Whole(), name)
    base, moved = whisper_tensors()[name], fine_tuned(whisper_tensors(), 1)[name]
    np.testing.assert_array_equal(info.base, base)
    assert len(tensors) == 2
    for tensor in tensors:
        np.testing.assert_array_equal(tensor, moved - base)
    assert tensors[0] is not tensors[0]


def test_elsewhere_come_pieces_of_whole_rows(inputs, monkeypatch):
    monkeypatch.setattr("espnet_merge.merging.inputs.CHUNK_ENTRIES", 30)
    name = "model.encoder.conv1.weight"
    chunks = list(inputs.parts(Whole(), name))
    assert [info.start for info, _ in chunks] == [0, 24, 48, 72]
    assert all(info.shape == (8, 4, 3) for info, _ in chunks)
    whole = np.concatenate([info.base for info, _ in chunks])
    np.testing.assert_array_equal(whole, whisper_tensors()[name].ravel())


def test_a_method_of_one_pass_looks_at_nothing_before(inputs, monkeypatch):
    def read(*_):
        raise AssertionError("a tensor was read")

    monkeypatch.setattr(Inputs, "open", read)
    for method in (Dare(), ModelStock(filter_wise=True), Whole()):
        assert inputs.elementwise(method, "model.encoder.conv1.weight") is method


def test_experts_are_a_sequence():
    experts = LazyArrays(lambda number: number, 3)
    assert list(experts) == [0, 1, 2]
    assert (experts[-1], experts[1:]) == (2, [1, 2])
    with pytest.raises(IndexError):
        experts[3]


def test_what_is_computed_of_a_tensor_is_shared(inputs):
    tensor, shared, made = inputs.open("model.encoder.layers.0.fc1.weight"), {}, []
    for _ in range(2):
        info, _ = tensor.matrix(Whole(), shared)
        assert info.memoise(("svd", 3), lambda: made.append(1) or len(made)) == 1
        assert info.memoise(("svd", 4), lambda: "other") == "other"
    assert made == [1]
    assert TensorInfo(cache=None).memoise("key", lambda: 2) == 2
