"""Rules of advice against tables, of which some are right and some wrong."""

import importlib
import json
from pathlib import Path

import pytest

from espnet_merge.score.packed import pack

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SETS = ("es_test", "it_test")
UTTERANCES, WORDS = 20, 10


@pytest.fixture
def advice(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("advice")


def write_table(path, wrong, heard=None):
    """Write a seed, with so many wrong words an utterance of each system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    slots = {n: pack([[1, *[2] * (n - 1)][:n]] * UTTERANCES) for n in range(WORDS)}
    accuracy = {} if heard is None else {"zero_shot": dict.fromkeys(SETS, heard)}
    content = {
        "format": 1,
        "made_by": {"espnet_merge": "1", "commit": "c", "torch": "1"},
        "configuration": "",
        "normalizer": "basic",
        "rules_digest": "d",
        "plan": {
            "sets": SETS,
            "means": {"in-domain": SETS},
            "base": "zero_shot",
            "baseline": [*{"joint"} & wrong.keys()],
            "merges": [name for name in ("tsv_m", "soup") if name in wrong],
        },
        "modes": [{"mode": {}, "systems": dict.fromkeys(wrong, SETS)}],
        "sets": {
            name: {
                "metric": "wer",
                "digest": name,
                "lengths": pack([[WORDS] * UTTERANCES]),
            }
            for name in SETS
        },
        "language_accuracy": accuracy,
        "systems": {
            system: dict.fromkeys(SETS, slots[number])
            for system, number in wrong.items()
        },
    }
    path.write_text(json.dumps(content))
    return path


def systems(*, merged, soup=None, joint=2, routed=None):
    found = {"zero_shot": 8, "full_es": 2, "full_it": 2, "joint": joint}
    found |= {"tsv_m": merged, "soup": merged if soup is None else soup}
    return found | ({} if routed is None else {"routed": routed})


@pytest.mark.parametrize(
    ("wrong", "heard", "advised", "right"),
    [
        (systems(merged=2), None, "merge all", "merge all"),
        (systems(merged=7, routed=3), None, "train jointly", "train jointly"),
        (systems(merged=7, routed=2), 100, "route", "route"),
        # A route that knows the set is none that could be taken.
        (
            systems(merged=7, joint=4, routed=2) | {"routed_heard": 5},
            100,
            "route",
            "train jointly",
        ),
        # The soup loses what a better merge keeps: the rules are wrong, and say so.
        (systems(merged=2, soup=7), None, "train jointly", "merge all"),
        (systems(merged=3, joint=2), None, "merge all", "train jointly"),
    ],
)
def test_what_is_right_is_cheap_and_good(
    advice, tmp_path, wrong, heard, advised, right
):
    path = tmp_path / "domains/merge1/results/english/seed_0.json"
    if advised != "route":
        # A route as good as joint training would be cheaper.
        wrong = wrong | {"routed": 4}
    found = advice.check(path.with_suffix(""), [write_table(path, wrong, heard)])
    assert (found.table, found.sets) == ("domains english seed_0", 2)
    assert (found.advised, found.right) == (advised, right)
    assert found.hit == (advised == right)


def test_a_table_of_hits_and_misses_is_printed(advice, tmp_path, capsys):
    paths = [
        write_table(tmp_path / f"a/merge1/results/b/seed_{n}.json", systems(merged=n))
        for n in (2, 7)
    ]
    advice.main([*map(str, paths)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("| a b seed_2 | 2 | merge all | merge keeps the gain |")
    assert lines[2].endswith("| merge all | 20.0 [20.0, 20.0] | yes |")
    # No router was tried, so that experts on their own sets are no choice.
    assert lines[3].endswith("| train jointly | 20.0 [20.0, 20.0] | yes |")
    assert lines[-1] == "2 of 2 right."


def test_rules_may_see_another_quick_merge(advice, tmp_path, capsys):
    """The soup loses what the other merge keeps."""
    path = tmp_path / "a/merge1/results/b/seed_0.json"
    write_table(path, systems(merged=2, soup=7))
    advice.main([str(path)])
    assert capsys.readouterr().out.endswith("0 of 1 right.\n")
    advice.main([str(path), "--quick", "tsv_m"])
    assert capsys.readouterr().out.endswith("1 of 1 right.\n")


def test_files_of_one_seed_are_one_row(advice, tmp_path, capsys):
    directory = tmp_path / "a/merge1/results/b"
    paths = [
        write_table(directory / "seed_0.json", systems(merged=7)),
        write_table(directory / "seed_0.lora.json", {"zero_shot": 8, "routed": 2}),
    ]
    advice.main([*map(str, paths)])
    row, _, last = capsys.readouterr().out.splitlines()[2:]
    assert row.startswith("| a b seed_0 | 2 | train jointly |")
    assert row.endswith("| route | 20.0 [20.0, 20.0] | **no** |")
    assert last == "0 of 1 right."


def test_sets_without_experts_are_said(advice, tmp_path):
    wrong = systems(merged=2)
    del wrong["full_it"]
    with pytest.raises(SystemExit, match="each needs an expert full_… or lora_…"):
        advice.main([str(write_table(tmp_path / "a/b/c/d/seed_0.json", wrong))])
