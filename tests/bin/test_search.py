"""The whole search on micro models, of real recordings."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

import espnet_merge as em
from espnet_merge.__main__ import main
from espnet_merge.decode.settings import Settings
from espnet_merge.disk.digest import sha256
from espnet_merge.search.sets import read_sets
from espnet_merge.whisper.model import load_whisper
from tests.speech import write_data

EXAMPLES = Path(__file__).parents[2] / "conf" / "search" / "examples"
EXPERTS = ("exp/full_es/model", "exp/full_it/model")
MODELS = ("--base", "exp/base", "--experts", *EXPERTS)
DATA = ("--data", "dump/raw/es_valid", "dump/raw/it_dev")
SUM = "{method: task_arithmetic, params: {scale: {low: 0, high: 1.5, first: 0.5}}}"
BOTH = """
method: ties
params: {density: {low: 0.1, high: 1}, weights: {each: {low: 0.5, high: 1}}}
"""


@pytest.fixture(autouse=True)
def recipe(finished_recipe, tmp_path, monkeypatch):
    path = shutil.copytree(finished_recipe, tmp_path / "recipe")
    monkeypatch.chdir(path)
    for language in ("it", "ru"):
        write_data(Path(f"dump/raw/{language}_dev"), languages=[language], count=2)
    Path("sum.yaml").write_text(SUM)
    Path("both.yaml").write_text(BOTH)
    Path("decode.yaml").write_text("{pad_to: 0, max_new_tokens: 5}")


def search(*words, space=("sum.yaml",), output="exp/found"):
    main(
        [
            *("search", "--space", *space, *MODELS, "--output", output, "--jobs", "1"),
            *("--decode-config", "decode.yaml", *words),
        ]
    )
    return json.loads(Path(output, "search.json").read_text("utf-8"))


def refused(capsys, *words, **others):
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        search(*words, **others)
    assert stop.value.code == 2
    [line] = capsys.readouterr().err.splitlines()[-1:]
    assert line.startswith("espnet-merge search: error: ")
    return line


def test_the_best_model_is_written_with_what_led_to_it(capsys):
    keep = ("--keep", "dump/raw/ru_dev")
    found = search(*DATA, *keep, "--trials", "4", space=("sum.yaml", "both.yaml"))
    assert sorted(path.name for path in Path("exp/found").glob("[!.]*")) == [
        "model",
        "search.json",
        "search.png",
        "trials.log",
    ]
    assert Path("exp/found/search.png").read_bytes().startswith(b"\x89PNG")
    trials, best = found["trials"], found["trials"][found["best"]]
    assert [trial["space"] for trial in trials[:2]] == ["sum", "both"]
    assert found["best"] in found["front"]
    assert [goal["name"] for goal in found["goals"]] == [
        "error rate in %",
        "error rate in %, kept",
    ]
    record = yaml.safe_load(Path("exp/found/model/merge.yaml").read_text())
    assert record["params"].items() >= best["params"].items()
    assert record["search"] == {
        "sha256": sha256(Path("exp/found/search.json")),
        "trial": found["best"],
    }
    printed = capsys.readouterr().out
    assert printed.startswith("4 trials -> exp/found/model\nfirst: sum scale=0.5: ")
    # The scores of the model that is written are those of its trial.
    for data in ("es_valid", "it_dev"):
        em.decode(
            model="exp/found/model",
            data=[f"dump/raw/{data}"],
            output=[f"out/{data}"],
            pad_to=0,
            max_new_tokens=5,
        )
    rates = [
        em.score(ref=f"dump/raw/{data}", hyp=[f"out/{data}"])[f"out/{data}"]["metrics"]
        for data in ("es_valid", "it_dev")
    ]
    mean = sum(rate["wer"]["normalized"]["rate"] for rate in rates) / 2
    assert best["scores"][0] == pytest.approx(mean)


def test_the_best_by_loss_are_checked_by_decoding(capsys):
    found = search(*DATA, "--objective", "loss", "--trials", "5", "--check", "3")
    checked = [place for place, x in enumerate(found["trials"]) if "checked" in x]
    by_loss = sorted(range(5), key=lambda place: found["trials"][place]["scores"])
    assert checked == sorted({0, *by_loss[:3]})
    least = min(found["trials"][place]["checked"] for place in checked)
    assert found["trials"][found["best"]]["checked"] == least
    assert found["checked_goals"][0]["name"] == "error rate in %"
    # Nothing is decoded again, and the files are the same.
    before = Path("exp/found/search.json").read_bytes()
    search(*DATA, "--objective", "loss", "--trials", "5", "--check", "3")
    assert Path("exp/found/search.json").read_bytes() == before


def test_shards_make_trials_and_a_call_without_one_chooses(capsys):
    words = (*DATA, "--objective", "loss", "--trials", "4")
    with pytest.raises(FileNotFoundError):
        search(*words, "--shard", "2/2")
    assert not Path("exp/found/model").exists()
    found = search(*words)
    alone = search(*words, output="exp/alone")
    assert found["trials"] == alone["trials"]
    more = search(*DATA, "--objective", "loss", "--trials", "5")
    assert more["trials"][:4] == found["trials"]
    line = refused(capsys, *words, "--seed", "1")
    assert "another search, which differs in seed" in line
    anew = search(*words, "--seed", "1", "--overwrite")
    assert anew["trials"][1:] != found["trials"][1:]
    line = refused(capsys, *words, "--overwrite", "--shard", "1/2")
    assert "leave one out" in line


def test_the_model_of_another_command_stays(capsys):
    em.merge(method="soup", base="exp/base", experts=EXPERTS, output="exp/found/model")
    line = refused(capsys, *DATA, "--trials", "1")
    assert "exp/found/model: exists; give another --output" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--data", "dump/raw/es_test"), "by its name it is a test set"),
        (("--data", "dump/raw/es_train"), "is an utterance of"),
        ((*DATA, "--check", "2"), "check is of objective loss"),
        ((*DATA, "--minutes", "0"), "no trial was finished in the time"),
    ],
)
def test_bad_options_are_one_line(capsys, words, said):
    if "dump/raw/es_train" in words:
        shutil.copytree("dump/raw/es_train", "dump/raw/es_dev")
        words = ("--data", "dump/raw/es_dev")
    assert said in refused(capsys, *words)


def test_models_of_trials_are_in_memory_so_torch_decodes(capsys):
    Path("decode.yaml").write_text("backend: ctranslate2")
    assert "take backend torch" in refused(capsys, *DATA)


def test_decoded_as_the_experts_were_trained(monkeypatch):
    for expert in EXPERTS:
        Path(expert, "export.yaml").write_text("{pad_to: 0.0, tail: 0.5}\n")
    Path("decode.yaml").write_text("max_new_tokens: 5")
    found = search(*DATA, "--trials", "1")
    assert (found["decoding"]["pad_to"], found["decoding"]["tail"]) == (0.0, 0.5)


def test_a_support_language_is_added_to_a_whole_expert():
    """Of docs/search.md: lambda 0 is the expert of the target language alone."""
    space = EXAMPLES / "support_language.yaml"
    words = ("--data", "dump/raw/es_valid", "--objective", "loss", "--trials", "4")
    found = search(*words, space=(str(space),))
    weights = [trial["params"]["weights"] for trial in found["trials"]]
    assert [one[0] for one in weights] == [1] * 4
    assert weights[0] == [1, 0]
    settings = Settings(pad_to=0.0, max_new_tokens=5)
    model = Path(EXPERTS[0])
    alone = read_sets([Path("dump/raw/es_valid")], [], model, settings).losses()
    expected = alone(load_whisper(model))
    assert found["trials"][0]["scores"] == pytest.approx(expected, rel=1e-4)
    assert len({one[1] for one in weights}) == 4
    best = yaml.safe_load(Path("exp/found/model/merge.yaml").read_text())
    assert (
        best["params"]["weights"] == found["trials"][found["best"]]["params"]["weights"]
    )


def test_encoder_and_decoder_have_weights_of_their_own():
    space = EXAMPLES / "encoder_decoder.yaml"
    found = search(*DATA, "--objective", "loss", "--trials", "3", space=(str(space),))
    first, *others = (trial["params"]["weights"] for trial in found["trials"])
    assert first == {"encoder\\.": [0.5, 0.5], "default": [0.5, 0.5]}
    for other in others:
        assert len({*other["encoder\\."], *other["default"]}) == 4
    base, *experts = (
        load_file(f"{path}/model.safetensors") for path in ("exp/base", *EXPERTS)
    )
    merged = load_file("exp/found/model/model.safetensors")
    best = found["trials"][found["best"]]["params"]["weights"]
    for name, value in merged.items():
        own = best["encoder\\." if "encoder." in name else "default"]
        deltas = (w * (x[name] - base[name]) for w, x in zip(own, experts, strict=True))
        torch.testing.assert_close(value, base[name] + sum(deltas), atol=1e-6, rtol=0)


def test_fewer_utterances_are_those_that_are_evenly_spaced():
    found = search("--data", "dump/raw/it_dev", "--utterances", "1", "--trials", "1")
    whole = search("--data", "dump/raw/it_dev", "--trials", "1", output="exp/whole")
    assert found["utterances"] == 1
    assert found["data"] != whole["data"]
