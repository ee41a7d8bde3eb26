"""A table over seeds, by hand."""

import json

import pytest

from espnet_merge.__main__ import main
from espnet_merge.errors import InputError
from espnet_merge.report.runs import read_runs
from espnet_merge.report.seed_differences import SeedComparison
from espnet_merge.report.seed_plan import SeedPlan
from espnet_merge.report.seeds import markdown
from espnet_merge.score.current import rules_digest

PADDED = {"pad_to": 30.0, "tail": 0.0, "beam": 1}
TAIL = {"pad_to": 0.0, "tail": 4.0, "beam": 1}
AS_TRAINED = {**TAIL, "trained": {"pad_to": 0.0, "tail": 4.0}}


def scored(place, value, metric="wer", normalizer="basic", rules=None, **more):
    place.mkdir(parents=True)
    measured = {"score" if metric in ("bleu", "chrf") else "rate": value}
    readings = ["raw", "normalized"] if metric == "wer" else ["normalized", "raw"]
    metrics = {metric: dict(zip(readings, ({}, measured), strict=True))}
    content = {
        "main": metric,
        "normalizer": normalizer,
        "rules_digest": rules or rules_digest(normalizer),
        "metrics": metrics,
        **more,
    }
    (place / "score.json").write_text(json.dumps(content))
    return place


def lines_of(rows, sets=(), means=None, base=None):
    """Return the lines of the table."""
    plan = SeedPlan(sets=sets, means=means or {}, base=base)
    return list(markdown(SeedComparison(read_runs(rows), plan)))


@pytest.fixture
def rows(tmp_path):
    warm = [scored(tmp_path / str(n) / "cs_test", 10 + n) for n in (1, 2, 3)]
    full = [scored(tmp_path / f"full{n}" / "cs_test", 14 + n) for n in (0, 2)]
    forgot = [
        scored(tmp_path / f"full{n}" / name, rate)
        for n, name, rate in (
            (0, "es_test", 30.0), (2, "es_test", 40.0),
            (0, "it_test", 20.0), (2, "it_test", 10.0),
        )
    ]  # fmt: skip
    kept = [scored(tmp_path / "old" / f"{name}_test", 8.0) for name in ("es", "it")]
    return {"warm": [*warm, *kept], "full": [*full, *forgot], "zero": kept[:1]}


def test_mean_and_spread_by_hand(rows):
    means = {"old": ["es_test", "it_test"]}
    lines = lines_of(rows, ["cs_test", "es_test"], means)
    assert lines[0] == "| system | cs_test (wer) | es_test (wer) | old (wer) |"
    # Deviations of 11, 12, 13: one. Of 30, 40: the root of 50. Means over languages of
    # each seed are 25 and 25: no spread.
    assert lines[2] == "| warm | **12.0 ± 1.0** | **8.0** | **8.0** |"
    assert lines[3] == "| full | 15.0 ± 1.4 | 35.0 ± 7.1 | 25.0 ± 0.0 |"
    assert lines[4] == "| zero | – | 8.0 | – |"
    assert "(1, 2, 3 runs)" in lines[-1]


def test_the_best_is_of_those_with_as_many_seeds_as_any(tmp_path):
    rows = {
        name: [
            scored(tmp_path / f"{name}{n}" / "es_test", value)
            for n, value in enumerate(values)
        ]
        for name, values in {
            "lucky": [10], "joint": [11, 13], "soup": [12, 14], "zero": [30]
        }.items()
    }  # fmt: skip
    lines = lines_of(rows, ["es_test"], base="zero")
    assert lines[2:4] == ["| lucky | 10.0 |", "| joint | **12.0 ± 1.4** |"]
    rows["zero"] = [scored(tmp_path / "good" / "es_test", 5)]
    assert lines_of(rows, ["es_test"], base="zero")[5] == "| zero | **5.0** |"


def test_of_bleu_the_highest_is_best(tmp_path):
    rows = {
        name: [scored(tmp_path / name / "es-en_test", value, "bleu")]
        for name, value in (("low", 11.0), ("high", 22.0))
    }
    lines = lines_of(rows, ["es-en_test"], {})
    assert lines[2:4] == ["| low | 11.0 |", "| high | **22.0** |"]


def test_a_mean_is_of_one_metric(rows, tmp_path):
    low, high = (
        scored(tmp_path / str(seed) / "es-en_test", value, "bleu")
        for seed, value in enumerate((20.0, 26.0))
    )
    means = {"all": ["es_test", "es-en_test", "it_test"]}
    lines = lines_of({**rows, "warm": [*rows["warm"], low, high]}, means=means)
    assert lines[0] == "| system | all (wer) | all (bleu) |"
    # The root of (9 + 9) / 1.
    assert lines[2] == "| warm | **8.0** | **23.0 ± 4.2** |"


def test_what_cannot_stand_in_one_table(rows, tmp_path):
    bleu = scored(tmp_path / "b" / "es_test", 9, "bleu")
    with pytest.raises(InputError, match="es_test must be of one metric; this is bleu"):
        lines_of({**rows, "b": [bleu]})
    raw = scored(tmp_path / "r" / "es_test", 9, normalizer="none")
    with pytest.raises(InputError, match="of one normalizer; they are of basic in "):
        lines_of({**rows, "r": [raw]})
    with pytest.raises(InputError, match=r"nowhere.score\.json: must be what"):
        lines_of({"x": [tmp_path / "nowhere"]})
    old = scored(tmp_path / "older" / "it_test", 9, rules="of an older table")
    with pytest.raises(InputError, match="made by others: score again"):
        lines_of({**rows, "old": [old]})
    with pytest.raises(InputError, match="ru_test: some system must have scores"):
        lines_of(rows, ["ru_test"])


def table(tmp_path, base=None, **modes):
    rows = {
        name: [scored(tmp_path / name / "es_test", 9, mode=mode)]
        for name, mode in modes.items()
    }
    return lines_of(rows, ["es_test"], base=base)


def test_each_may_be_decoded_as_it_was_trained_and_each_row_says_so(tmp_path):
    lines = table(tmp_path, base=None, zero=PADDED, lora=AS_TRAINED)
    assert lines[0] == "| system | es_test (wer) | decoded |"
    assert lines[2].endswith("| padded to 30 s |")
    assert lines[3].endswith("| true length, 4 s of silence after it |")


def test_a_router_may_take_models_of_other_padding_by_set(tmp_path):
    routed = [
        scored(tmp_path / "es_test", 9, mode=AS_TRAINED),
        scored(tmp_path / "en_test", 9, mode=PADDED),
    ]
    joint = [scored(tmp_path / "joint" / "es_test", 9, mode=AS_TRAINED)]
    lines = lines_of({"joint": joint, "routed": routed}, ["es_test", "en_test"])
    assert lines[3].endswith(
        "| true length, 4 s of silence after it or padded to 30 s |"
    )
    padded = {**AS_TRAINED, **PADDED}
    routed[1] = scored(tmp_path / "other" / "en_test", 9, mode=padded)
    with pytest.raises(InputError, match=r"en_test: must be decoded as .*es_test was"):
        lines_of({"routed": routed}, ["es_test", "en_test"])


def test_other_modes_do_not_stand_in_one_table(tmp_path):
    beam = {**PADDED, "beam": 5}
    for name, mode, message in (
        ("tail", TAIL, "pad_to 30.0; got 0.0: decode alike"),
        ("beam", beam, "zero/es_test was, with beam 1; got 5"),
    ):
        with pytest.raises(InputError, match=message):
            table(tmp_path / name, zero=PADDED, soup=mode)
    # But for the base, where it is named; it says so.
    lines = table(tmp_path / "base", base="zero", zero=PADDED, lora=TAIL)
    assert lines[2].endswith("| padded to 30 s |")
    # Seeds of one system are decoded in one mode, whatever they were trained in.
    seeds = [
        scored(tmp_path / str(n) / "es_test", 9, mode=mode)
        for n, mode in enumerate((AS_TRAINED, PADDED))
    ]
    with pytest.raises(InputError, match=r"1/es_test: must be decoded as .*0/es_test"):
        lines_of({"lora": seeds})


def test_identified_languages_have_a_table(tmp_path):
    table = [
        {"es": {"es": {"utterances": n}, "it": {"utterances": 10 - n}}} for n in (9, 7)
    ]
    rows = {
        "lora": [
            scored(tmp_path / str(n) / "es_test", 9, identification=own)
            for n, own in enumerate(table)
        ],
        "soup": [scored(tmp_path / "soup" / "es_test", 9)],
    }
    lines = lines_of(rows, ["es_test"], {"trained": ["es_test"]})
    assert lines[-5] == "| system | es_test | trained |"
    # 90 and 70.
    assert lines[-3] == "| lora | 80.0 ± 14.1 | 80.0 ± 14.1 |"
    assert lines[-2] == "| soup | – | – |"


def test_sets_of_another_size_do_not_stand_in_one_table(tmp_path):
    for what, sizes in (("utterances", (40, 39)), ("words", (80, 79))):
        places = [
            scored(tmp_path / what / str(size) / "es_test", 9, utterances=40)
            for size in sizes
        ]
        for place, size in zip(places, sizes, strict=True):
            score = json.loads((place / "score.json").read_text())
            if what == "words":
                score["metrics"]["wer"]["raw"] = {"reference": size}
            else:
                score["utterances"] = size
            (place / "score.json").write_text(json.dumps(score))
        message = f"with {sizes[0]} {what}; has {sizes[1]}"
        with pytest.raises(InputError, match=message):
            lines_of({"a": places[:1], "b": places[1:]})


def test_the_command_writes_what_it_prints(rows, tmp_path, capsys):
    words = [
        w for name, places in rows.items() for w in ("--row", name, *map(str, places))
    ]
    file = tmp_path / "table.md"
    sets = ["--sets", "cs_test", "es_test"]
    main(
        ["seeds", *words, *sets, "--mean", "old=es_test,it_test", "--output", str(file)]
    )
    assert file.read_text("utf-8") == capsys.readouterr().out
    for bad, message in (
        (["--mean", "es_test=it_test"], "--mean must be NAME=SET,SET"),
        (["--row", "warm", "x"], "each system once; 'warm' is twice"),
        (
            ["--base", "base"],
            "--base must be of the systems, which are warm, full, zero",
        ),
    ):
        with pytest.raises(SystemExit) as caught:
            main(["seeds", *words, *sets, *bad])
        assert caught.value.code == 2
        assert message in capsys.readouterr().err
