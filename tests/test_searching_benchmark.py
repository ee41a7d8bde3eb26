"""What a search costs, and a search beside a grid, on micro models."""

import importlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.speech import write_data

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
EXPERTS = [Path("exp/full_es/model"), Path("exp/full_it/model")]


@pytest.fixture(autouse=True)
def recipe(finished_recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(finished_recipe, tmp_path / "recipe"))
    monkeypatch.syspath_prepend(BENCHMARKS)
    for name, seed in (
        ("es_valid", 1),
        ("it_valid", 2),
        ("es_test", 3),
        ("it_test", 4),
    ):
        data = Path("dump/raw", name)
        shutil.rmtree(data, ignore_errors=True)
        write_data(data, languages=[name[:2]], count=4, seed=seed)
        text = data / "text"
        text.write_text(text.read_text().replace("palabra", name))
    for expert in EXPERTS:
        record = "{pad_to: 0.0, tail: 0.5, label_format: leading_space}\n"
        Path(expert, "export.yaml").write_text(record)


def test_costs_are_of_the_same_trials(capsys):
    searching = importlib.import_module("searching")
    args = SimpleNamespace(
        base=Path("exp/base"),
        experts=EXPERTS,
        data=[Path("dump/raw/es_valid")],
        space=searching.SPACES / "task_arithmetic.yaml",
        utterances=2,
        trials=3,
        seed=0,
    )
    seconds, scores, memory = searching.measured(args)
    assert len(seconds) == len(scores) == len(memory) == 3
    for costs, values in zip(seconds, scores, strict=True):
        assert min(costs.values()) > 0
        assert values.keys() == {"WER", "loss", "loss, no silence"}
        # Silence is heard: it changes the loss.
        assert values["loss"] != values["loss, no silence"]
    assert len({values["loss"] for values in scores}) == 3
    assert searching.table(seconds, scores, memory).count("\n") == 5


def test_ratios_are_of_fifty_trials():
    searching = importlib.import_module("searching")
    cost = {"WER": 4.0, "loss": 2.0, "loss, no silence": 1.0, "encoder": 1.6}
    seconds = [{"merge": 11.0, **cost}, {"merge": 1.0, **cost}]
    lines = searching.ratios(seconds, 10).splitlines()
    # (11 + 49 · 1) / (50 · 4) = 0.3, and 0.15 of twice as many utterances.
    assert lines == [
        "fmean of 2 trials:",
        "- 50 trials by WER: 1.30 of their decodings of 10 utterances; at most 1.15"
        " from 20 utterances on",
        "- decoding: 2.0 x loss, 4.0 x loss, no silence, 2.5 x encoder",
        *("median" + lines[0].removeprefix("fmean"), *lines[1:3]),
    ]
    scores = [
        {"WER": float(x), "loss": float(-x), "loss, no silence": float(x)}
        for x in range(4)
    ]
    assert searching.correlations(scores).endswith(
        "4 trials: loss -1.00, loss, no silence 1.00"
    )


def test_a_search_is_compared_with_a_grid(capsys):
    grids = importlib.import_module("grids")
    words = [
        *("--expdir", "exp", "--dumpdir", "dump/raw", "--output", "work"),
        *("--trials", "4", "--objective", "loss", "--dev", "2", "--test", "3"),
        *("--spaces", "task_arithmetic", "--save", "results/grids.json"),
    ]
    grids.main(words)
    printed = capsys.readouterr().out
    content = json.loads(Path("results/grids.json").read_bytes())
    own = content["methods"]["task_arithmetic"]
    assert own["systems"] == ["default", "grid", "search"]
    for name in ("es_test", "it_test"):
        assert len(own["sets"][name]["tokens"]) == 3
    # The first, and a grid of 3 × 1 levels.
    assert own["chosen"]["grid"]["trials"] == 4
    assert own["chosen"]["search"]["trials"] == 4
    assert own["chosen"]["grid"]["first"] == own["chosen"]["search"]["first"]
    for chosen in own["chosen"].values():
        assert chosen["best"] <= chosen["first"]
    rate = grids.sampled(own).rate("search").value
    assert f"| {rate:.1f} |" in printed
    assert "2 utterances of each of 2 development sets" in printed
    grids.main(["--load", "results/grids.json"])
    assert capsys.readouterr().out == printed


def test_what_is_there_is_not_made_again(monkeypatch, capsys):
    grids = importlib.import_module("grids")
    words = [
        *("--expdir", "exp", "--dumpdir", "dump/raw", "--output", "work"),
        *("--trials", "3", "--objective", "loss", "--dev", "1", "--test", "1"),
        *("--spaces", "task_arithmetic"),
    ]
    grids.main(words)
    before = capsys.readouterr().out
    monkeypatch.setattr(grids, "made", lambda *given: pytest.fail("made again"))
    grids.main(words)
    assert capsys.readouterr().out == before
    with pytest.raises(SystemExit, match="made with other options"):
        grids.main([*words, "--seed", "1"])
