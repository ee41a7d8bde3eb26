import json

import numpy as np
import pytest
import soundfile
import torch
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression

from espnet_merge.checkpoint.padding import Padding
from espnet_merge.decode.router import Router, features, load_router
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.train_router import fit, train_router
from espnet_merge.errors import InputError
from espnet_merge.lora.adapter import base_digest
from espnet_merge.whisper.model import Encoded, load_whisper
from tests.speech import write_data

HEARS = Settings(pad_to=0.0, tail=0.2, batch_size=4)
C = 10.0


def write_tones(directory, hertz, seed):
    """Write noise with a tone in it, which is all that tells one set from another."""
    write_data(directory, count=12, seconds=(0.8, 1.2), seed=seed)
    for path in directory.glob("*.wav"):
        noise, rate = soundfile.read(path)
        tone = np.sin(2 * np.pi * hertz * np.arange(len(noise)) / rate)
        soundfile.write(path, 0.1 * noise + 0.5 * tone, rate)
    return directory


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets")
    tones = {"low": 200, "mid": 900, "high": 3000}
    return [
        {
            name: write_tones(root / f"{name}_{part}", hertz, 10 * part + place)
            for place, (name, hertz) in enumerate(tones.items())
        }
        for part in range(2)
    ]


@pytest.fixture(scope="module")
def trained(micro_whisper, sets):
    return train_router(micro_whisper, *sets, HEARS, c=C)


def test_what_differs_is_told_apart(trained):
    assert trained.router.names == ("low", "mid", "high")
    assert trained.record["accuracy"] == 100
    for name, row in trained.record["confusion"].items():
        assert row == {"low": 0, "mid": 0, "high": 0, name: 12}
    table = [line.split() for line in str(trained).splitlines()]
    assert table[1] == ["low", "12", "0", "0", "100.0"]
    assert table[-1] == ["accuracy:", "100.0", "%"]


def test_the_same_data_give_the_same_bytes(trained, micro_whisper, sets, tmp_path):
    again = train_router(micro_whisper, *sets, HEARS, c=C)
    for place, one in (("a", trained), ("b", again)):
        one.write(tmp_path / place)
    files = ("router.json", "router.safetensors")
    first, second = (
        [(tmp_path / place / file).read_bytes() for file in files] for place in "ab"
    )
    assert first == second
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == list(files)


def test_what_is_written_is_read(trained, micro_whisper, tmp_path):
    trained.write(tmp_path / "router")
    found = load_router(tmp_path / "router")
    assert found.names == trained.router.names
    assert found.padding == Padding(0.0, 0.2)
    assert found.base_sha256 == base_digest(load_whisper(micro_whisper))
    # scikit-learn leaves the weights of three names by columns, and files have rows.
    assert trained.router.weight.flags["F_CONTIGUOUS"]
    assert np.array_equal(found.weight, trained.router.weight)
    assert np.array_equal(found.bias, trained.router.bias)


def test_so_many_of_each_training_set(micro_whisper, sets):
    few = train_router(micro_whisper, *sets, HEARS, c=C, utterances=2).record
    assert [one["utterances"] for one in few["train"].values()] == [2, 2, 2]
    assert [one["utterances"] for one in few["valid"].values()] == [12, 12, 12]


@pytest.mark.parametrize("count", [2, 3])
def test_the_softmax_is_that_of_scikit_learn(count):
    """On features as they are, the standardisation undone; two names or more."""
    random = np.random.default_rng(count)
    classes = [
        random.normal(2 * n, [1, 3, 0.1, 5], (30 - 9 * n, 4)).astype(np.float32)
        for n in range(count)
    ]
    weight, bias = fit(classes, c=0.5)
    rows = np.concatenate(classes)
    scaled = (rows - rows.mean(0)) / rows.std(0)
    labels = np.repeat(np.arange(count), [len(own) for own in classes])
    weights = np.concatenate([np.full(len(own), 1 / len(own)) for own in classes])
    model = LogisticRegression(C=0.5, max_iter=10_000)
    model.fit(scaled, labels, sample_weight=weights * len(rows) / count)
    scores = rows @ weight.T + bias
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    assert chances == pytest.approx(model.predict_proba(scaled), abs=1e-3)


def test_the_most_probable_name_is_chosen():
    weight = np.array([[1, 0], [0, 1]], dtype=np.float32)
    bias = np.array([0, 1], dtype=np.float32)
    router = Router(("a", "b"), weight, bias, Padding(0, 0), "")
    states = torch.tensor([[[3.0, 0.0]], [[0.0, 0.0]]])
    found = router(Encoded(states, None))
    assert [one.name for one in found] == ["a", "b"]
    expected = [1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-1))]
    assert [one.probability for one in found] == pytest.approx(expected)


def test_what_fills_the_batch_is_not_heard():
    states = torch.arange(8.0).reshape(2, 4, 1)
    mask = torch.zeros(2, 1, 1, 4)
    mask[1, ..., 2:] = torch.finfo(mask.dtype).min
    assert features(Encoded(states, mask)).tolist() == [[1.5], [4.5]]


@pytest.mark.parametrize(
    ("train", "valid", "rule"),
    [
        (["low"], ["low"], "must name at least two data sets"),
        (["low", "mid"], ["low"], "must have the same names; only one of them has mid"),
        (["low", "mid"], ["low", "mid", "high"], "only one of them has high"),
    ],
)
def test_names_that_cannot_be_told_apart(micro_whisper, sets, train, valid, rule):
    parts = [
        {name: own[name] for name in names}
        for own, names in zip(sets, (train, valid), strict=True)
    ]
    with pytest.raises(InputError, match=rule):
        train_router(micro_whisper, *parts, HEARS, c=C)


def test_an_empty_set(micro_whisper, sets, tmp_path):
    empty = write_data(tmp_path / "empty", count=1)
    (empty / "wav.scp").write_text("")
    for place in range(2):
        parts = [dict(own) for own in sets]
        parts[place]["mid"] = empty
        with pytest.raises(InputError, match="at least one utterance is needed"):
            train_router(micro_whisper, *parts, HEARS, c=C)


@pytest.mark.parametrize(
    ("name", "change", "rule"),
    [
        ("router.json", lambda _: b"{}", "must be what 'espnet-merge router' writes"),
        ("router.safetensors", lambda old: old[:20], "must be what 'espnet-merge"),
        ("router.json", lambda old: old.replace(b'"mid",', b""), "a row for each"),
        (
            "router.json",
            lambda old: old.replace(b'"format": 1', b'"format": 9'),
            "format of a router must be 1; got 9",
        ),
    ],
)
def test_broken_files(trained, tmp_path, name, change, rule):
    trained.write(tmp_path / "router")
    path = tmp_path / "router" / name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InputError, match=rule):
        load_router(tmp_path / "router")


def test_weights_of_another_file(trained, tmp_path):
    trained.write(tmp_path / "router")
    other = {"weight": np.zeros((3, 64), np.float32)}
    save_file(other, tmp_path / "router" / "router.safetensors")
    with pytest.raises(InputError, match="KeyError 'bias'"):
        load_router(tmp_path / "router")
    assert json.loads((tmp_path / "router" / "router.json").read_text())["c"] == C
