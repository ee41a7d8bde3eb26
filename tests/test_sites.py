"""What a method sees of a tensor."""

import numpy as np
import pytest

from espnet_merge.checkpoint import open_checkpoint
from espnet_merge.methods import Method, Site
from espnet_merge.sites import Experts, Sites
from tests.checkpoint.build import fine_tuned, whisper_tensors, write_checkpoint


class Whole(Method):
    """Takes the matrices whole."""

    def is_matrix(self, site):
        return len(site.shape) == 2

    def __call__(self, tensors, site):
        return tensors[0]


@pytest.fixture
def sites(tmp_path):
    base = whisper_tensors()
    for name, tensors in (("base", base), ("e1", fine_tuned(base, 1))):
        write_checkpoint(tmp_path / name, tensors)
    base, expert = (open_checkpoint(tmp_path / name) for name in ("base", "e1"))
    return Sites(base, [expert, expert])


def test_a_matrix_is_whole_and_its_experts_are_made_when_asked_for(sites):
    name = "model.encoder.layers.0.fc1.weight"
    ((site, tensors),) = sites.parts(Whole(), name)
    base, moved = whisper_tensors()[name], fine_tuned(whisper_tensors(), 1)[name]
    np.testing.assert_array_equal(site.base, base)
    assert len(tensors) == 2
    for tensor in tensors:
        np.testing.assert_array_equal(tensor, moved - base)
    assert tensors[0] is not tensors[0]


def test_elsewhere_come_pieces_of_whole_rows(sites, monkeypatch):
    monkeypatch.setattr("espnet_merge.sites.PIECE", 30)
    name = "model.encoder.conv1.weight"
    pieces = list(sites.parts(Whole(), name))
    assert [site.start for site, _ in pieces] == [0, 24, 48, 72]
    assert all(site.shape == (8, 4, 3) for site, _ in pieces)
    whole = np.concatenate([site.base for site, _ in pieces])
    np.testing.assert_array_equal(whole, whisper_tensors()[name].ravel())


def test_experts_are_a_sequence():
    experts = Experts(lambda number: number, 3)
    assert list(experts) == [0, 1, 2]
    assert (experts[-1], experts[1:]) == (2, [1, 2])
    with pytest.raises(IndexError):
        experts[3]


def test_what_is_computed_of_a_tensor_is_shared(sites):
    tensor, shared, made = sites.open("model.encoder.layers.0.fc1.weight"), {}, []
    for _ in range(2):
        site, _ = tensor.matrix(Whole(), shared)
        assert site.once(("svd", 3), lambda: made.append(1) or len(made)) == 1
        assert site.once(("svd", 4), lambda: "other") == "other"
    assert made == [1]
    assert Site(cache=None).once("key", lambda: 2) == 2
