"""Models of trials are those that merge writes, and cost what is new in them."""

import shutil

import pytest
import torch
from safetensors.torch import load_file

import espnet_merge as em
from espnet_merge.merging.loop import opened as opened_for
from espnet_merge.merging.merge import Merge
from espnet_merge.merging.planned import opened
from espnet_merge.methods import build_method
from espnet_merge.search.model import KEPT, Recent, TrialModel
from espnet_merge.whisper.model import load_whisper
from tests.recipes.finished import move

TRIALS = [
    ("tsv_m", {"scale": 1.0}),
    ("tsv_m", {"scale": {"encoder\\.": 0.5, "default": 2.0}}),
    ("boosted_tsv_m", {"beta": 0.5, "orthogonalise": "svd"}),
    ("ties", {"density": 0.5}),
    ("ties", {"density": 0.1, "scale": 2.0}),
    ("soup", {"weights": [1.0, 3.0]}),
    ("lors", {"density": 0.3, "rank_ratio": 0.1}),
    ("lors", {"density": 0.6, "rank_ratio": 0.1}),
    ("tsv_m", {"scale": 1.0}),
]


@pytest.fixture(scope="module")
def recipe(micro_whisper, tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    shutil.copytree(micro_whisper, root / "base")
    for seed, name in enumerate("ab"):
        move(shutil.copytree(micro_whisper, root / name), seed)
    return root


@pytest.fixture
def started(recipe, tmp_path):
    """Return a model, from a context in which its inputs are open."""
    shared = opened(recipe / "base", [recipe / "a", recipe / "b"])

    def planned(method, params):
        return Merge(
            method=build_method(method, params), output=tmp_path / "never", **shared
        )

    first = [planned(*trial) for trial in TRIALS]
    with opened_for(first, 1, "cpu") as (inputs, _):
        yield TrialModel(load_whisper(recipe / "base"), inputs, planned)
    assert not (tmp_path / "never").exists()


def test_the_weights_are_those_of_a_merge_to_the_bit(started, recipe, tmp_path):
    for number, (method, params) in enumerate(TRIALS):
        started.become(method, params)
        em.merge(
            method=method,
            params=params,
            base=recipe / "base",
            experts=[recipe / "a", recipe / "b"],
            output=tmp_path / str(number),
        )
        weights = started.whisper.state_dict()
        for name, value in load_file(
            tmp_path / str(number) / "model.safetensors"
        ).items():
            assert torch.equal(weights[name], value), (method, name)


@pytest.mark.parametrize(
    ("method", "place", "trials"),
    [
        (
            "tsv_m",
            "espnet_merge.methods._align.svd",
            [{"scale": 0.5}, {"scale": {"fc1": 2.0, "default": 1.0}}, {"scale": 3.0}],
        ),
        (
            "lors",
            "espnet_merge.methods.lors.svd",
            [{"density": 0.1}, {"density": 0.2, "scale": 2.0}, {"density": 0.9}],
        ),
    ],
)
def test_what_depends_on_the_experts_alone_is_computed_once(
    started, monkeypatch, method, place, trials
):
    module, name = place.rsplit(".", 1)
    own = getattr(__import__(module, fromlist=[name]), name)
    calls = []

    def counted(*args, **kwargs):
        calls.append(None)
        return own(*args, **kwargs)

    monkeypatch.setattr(place, counted)
    started.become(method, trials[0])
    once = len(calls)
    assert once >= 2 * 20, "a decomposition for each expert and matrix"
    for params in trials[1:]:
        started.become(method, params)
    assert len(calls) == once


def test_memory_is_flat(started):
    """Values that are not used again are dropped, however many trials there are."""
    sizes = []
    for trial in range(KEPT + 3):
        started.become("tsv_m", {"rank_fraction": 0.1 + 0.1 * trial})
        sizes.append(sum(map(len, started._kept.values())))
    assert sizes[0] < sizes[KEPT] == sizes[-1]
    assert max(map(len, started._kept.values())) == KEPT


def test_the_latest_values_are_kept():
    kept = Recent()
    for key in range(KEPT):
        kept[key] = key
    assert kept[0] == 0
    kept["new"] = 1
    assert list(kept) == [*range(2, KEPT), 0, "new"]
