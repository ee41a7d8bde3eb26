"""Coefficients learned by gradient, on micro models, of real recordings."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

import espnet_merge as em
from espnet_merge.__main__ import main
from espnet_merge.disk.digest import sha256
from tests.lora.test_routed import write_adapter
from tests.speech import write_data

EXPERTS = ("exp/full_es/model", "exp/full_it/model")
DATA = ("dump/raw/es_valid", "dump/raw/it_dev")


@pytest.fixture(autouse=True)
def recipe(finished_recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(finished_recipe, tmp_path / "recipe"))
    write_data(Path("dump/raw/it_dev"), languages=["it"], count=3)
    Path("decode.yaml").write_text("{pad_to: 0, max_new_tokens: 5, batch_size: 2}")


def learn(*words, data=DATA, experts=EXPERTS, output="exp/found"):
    main(
        [
            *("learn", "--base", "exp/base", "--experts", *experts, "--data", *data),
            *("--decode-config", "decode.yaml", "--output", output, "--jobs", "1"),
            *("--step-size", "2", *words),
        ]
    )
    return json.loads(Path(output, "learned.json").read_text("utf-8"))


def refused(capsys, *words, **others):
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        learn(*words, **others)
    assert stop.value.code == 2
    [line] = capsys.readouterr().err.splitlines()[-1:]
    assert line.startswith("espnet-merge learn: error: ")
    return line


def test_the_loss_falls_and_the_merge_can_be_replayed(capsys):
    found = learn("--steps", "8", "--lr", "0.1")
    assert sorted(path.name for path in Path("exp/found").glob("[!.]*")) == [
        "learned.json",
        "learned.png",
        "model",
    ]
    assert Path("exp/found/learned.png").read_bytes().startswith(b"\x89PNG")
    assert found["goal"] == "loss in nats a token"
    assert len(found["curve"]) == 8
    assert found["end"] < found["start"]
    record = yaml.safe_load(Path("exp/found/model/merge.yaml").read_text())
    assert record["method"] == "task_arithmetic"
    assert record["params"] == {"scale": 1.0, "weights": found["weights"]}
    digest = sha256(Path("exp/found/learned.json"))
    assert record["learned"] == {"sha256": digest}
    main(["replay", "exp/found/model"])
    printed = capsys.readouterr().out
    assert printed.startswith("8 steps -> exp/found/model\nloss in nats a token: ")
    # The same seed, the same weights.
    assert learn("--steps", "8", "--lr", "0.1", output="exp/again") == found


def test_two_hundred_steps_are_better_than_equal_weights():
    """A weight for each group and expert can be what one for all is, and more."""
    equal = [
        learn(
            *("--steps", "1", "--lr", "0", "--groups", "model", "--first", str(first)),
            output=f"exp/equal_{first}",
        )["start"]
        for first in (0.25, 0.75, 1)
    ]
    found = learn("--steps", "200", "--lr", "0.05")
    assert len(found["curve"]) == 200
    assert found["end"] < min(*equal, 0.99 * found["start"])


def test_entropy_falls_over_two_hundred_steps():
    found = learn("--objective", "entropy", "--steps", "200", "--lr", "0.05")
    assert found["end"] < 0.99 * found["start"]
    early, late = (found["curve"][part] for part in (slice(50), slice(-50, None)))
    assert sum(late) < sum(early)


def test_adapters_are_experts_as_models_are():
    write_adapter(Path("exp/base"), Path("lora"), 1, {"r": 2})
    learn("--steps", "3", experts=("lora", EXPERTS[1]))
    main(["replay", "exp/found/model"])


def test_entropy_needs_no_references():
    (Path(DATA[1]) / "text").unlink()
    found = learn("--objective", "entropy", "--steps", "4", "--lr", "0.05")
    assert found["goal"] == "entropy in nats a token"
    assert found["end"] < found["start"]


def test_no_step_is_the_merge_that_it_starts_from(tmp_path):
    found = learn("--steps", "1", "--lr", "0", "--groups", "model", "--first", "0.25")
    assert found["weights"] == {"^": [0.25, 0.25]}
    em.merge(
        method="task_arithmetic",
        params={"scale": 1.0, "weights": [0.25, 0.25]},
        base="exp/base",
        experts=EXPERTS,
        output="exp/sum",
    )
    same = [Path(f"exp/{x}/model.safetensors") for x in ("sum", "found/model")]
    assert sha256(same[0]) == sha256(same[1])
    assert found["start"] == found["end"]


@pytest.mark.parametrize(
    ("words", "data", "said"),
    [
        ((), ("dump/raw/es_test",), "by its name it is a test set"),
        (("--steps", "0"), DATA, "steps must be a whole number >= 1; got 0"),
        (("--groups", "head"), DATA, "invalid choice: 'head'"),
    ],
)
def test_bad_options_are_one_line(capsys, words, data, said):
    assert said in refused(capsys, *words, data=data)
    assert not Path("exp/found").exists()


def test_a_copy_of_a_test_set_without_texts_is_refused(capsys):
    shutil.copytree("dump/raw/es_test", "dump/raw/es_dev")
    Path("dump/raw/es_dev/text").unlink()
    line = refused(capsys, "--objective", "entropy", data=("dump/raw/es_dev",))
    assert "is an utterance of" in line


def test_what_does_not_suit_is_refused_before_anything_is_written(capsys):
    Path("decode.yaml").write_text("dtype: bfloat16")
    assert "dtype must be float32 where gradients" in refused(capsys)
    Path("decode.yaml").write_text("language: auto")
    line = refused(capsys, "--objective", "entropy")
    assert "language auto does not suit" in line
    assert not Path("exp/found").exists()
