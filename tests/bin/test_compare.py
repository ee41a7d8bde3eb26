"""compare and gate on sets whose errors are known."""

import json

import pytest
import sacrebleu

from espnet_merge.__main__ import main

WORDS = "uno dos tres cuatro cinco"


def write_set(folder, name, systems, count=30, languages=None, tasks=None):
    """Write ``count`` utterances, and systems that err once in the first so many."""
    keys = [f"u{index:02}" for index in range(count)]
    ref = folder / "data" / name
    ref.mkdir(parents=True)
    tables = {"text": [WORDS] * count, "utt2lang": languages or ["es"] * count}
    if tasks:
        tables["utt2task"] = tasks
    for table, values in tables.items():
        lines = (f"{key} {value}\n" for key, value in zip(keys, values, strict=True))
        (ref / table).write_text("".join(lines))
    for system, errors in systems.items():
        path = folder / system / name
        path.mkdir(parents=True)
        texts = [WORDS.replace("tres", "tren")] * errors + [WORDS] * (count - errors)
        lines = (f"{key} {text}\n" for key, text in zip(keys, texts, strict=True))
        (path / "text").write_text("".join(lines))
    return ref


def write_languages(folder, heard, mode="auto"):
    record = {
        "mode": {"language": mode},
        "utterances": {f"u{i:02}": {"language": code} for i, code in enumerate(heard)},
    }
    (folder / "text.json").write_text(json.dumps(record))


@pytest.fixture
def sets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_set(tmp_path, "es_test", {"old": 5, "new": 25})
    write_set(tmp_path, "it_test", {"old": 12, "new": 6})
    return ["data/es_test", "data/it_test"]


def compared(capsys, *options):
    main(["compare", "--json", *options])
    return json.loads(capsys.readouterr().out)["comparisons"]


def gate(*options):
    """Return the exit status."""
    try:
        main(["gate", *options, "--baseline", "old", "--candidate", "new"])
    except SystemExit as stop:
        return stop.code
    return 0


def test_numbers(sets, capsys):
    ((es, it, mean),) = (
        pair["sets"] for pair in compared(capsys, "--ref", *sets, "--hyp", "old", "new")
    )
    # One of 150 words for each error.
    assert (es["a"], es["b"]) == (pytest.approx(10 / 3), pytest.approx(50 / 3))
    assert es["points"] == pytest.approx(40 / 3)
    assert 0 < es["low"] < es["points"] < es["high"]
    # 20 utterances differ, all for the worse: no drawn signs reach that. Holm: twice.
    assert es["p"] == pytest.approx(2 / 1001)
    # it: 6 utterances differ, all for the better: 2 / 2**6 exactly.
    assert it["p"] == 2 / 2**6
    assert it["improved"] > 0.9
    # MAPSSWE, segments of either's errors: 25, of which 20 with +1 and 5 with 0.
    assert (es["segments"], it["segments"]) == (25, 12)
    assert es["p_mapsswe"] < 1e-9
    assert mean["name"] == "mean"
    assert mean["units"] == 60
    assert mean["points"] == pytest.approx((es["points"] + it["points"]) / 2)
    assert mean["p_mapsswe"] is None


def test_pairs(sets, capsys, tmp_path):
    (tmp_path / "third").symlink_to("new")
    pairs = compared(capsys, "--ref", *sets, "--hyp", "old", "new", "third")
    assert [(p["a"], p["b"]) for p in pairs] == [
        ("old", "new"), ("old", "third"), ("new", "third"),
    ]  # fmt: skip
    assert [row["p"] for row in pairs[2]["sets"]] == [1, 1, 1]
    against = compared(
        capsys, "--ref", *sets, "--baseline", "old", "--hyp", "new", "third"
    )
    assert against == pairs[:2]


def test_printed_table(sets, capsys):
    main(["compare", "--ref", *sets, "--hyp", "old", "new"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["a: old", "b: new"]
    cells = lines[3].split()
    assert cells[:6] == ["es_test", "wer", "30", "3.33", "16.67", "+13.33"]
    assert cells[-4:] == ["0.002", "*", "<.001", "*"]
    assert lines[5].startswith("mean     macro")


@pytest.mark.parametrize("metric", ["bleu", "chrf"])
def test_scores_of_translations(sets, capsys, metric):
    options = ["--ref", *sets, "--hyp", "old", "new", "--metric", metric]
    ((es, it, mean),) = (pair["sets"] for pair in compared(capsys, *options))
    texts = {0: WORDS, 1: WORDS.replace("tres", "tren")}
    score = {"bleu": sacrebleu.corpus_bleu, "chrf": sacrebleu.corpus_chrf}[metric]
    for row, errors in ((es, (5, 25)), (it, (12, 6))):
        for side, wrong in zip("ab", errors, strict=True):
            heard = [texts[index < wrong] for index in range(30)]
            assert row[side] == pytest.approx(score(heard, [[WORDS] * 30]).score)
    # 20 utterances are worse, 6 better: no drawn swaps reach the first. Holm: twice.
    assert es["points"] < 0 < it["points"]
    assert es["p"] == pytest.approx(2 / 1001)
    assert 0.005 < it["p"] < 0.1
    assert (es["improved"], it["improved"] > 0.9) == (0, True)
    assert es["p_bootstrap"] <= es["p"]
    assert (mean["name"], mean["metric"], mean["p_mapsswe"]) == ("mean", metric, None)
    assert mean["points"] == pytest.approx((es["points"] + it["points"]) / 2)
    main(["compare", *options])
    out = capsys.readouterr().out
    assert out.splitlines()[2].split()[-4:] == ["interval", "p", "p", "bootstrap"]
    assert f"{metric}, more is better, normalizer basic; sacreBLEU's nrefs:1|" in out


def test_a_single_set_is_found_in_the_directory_itself(sets, capsys):
    options = ["--ref", sets[0], "--hyp"]
    inside = compared(capsys, *options, "old/es_test", "new/es_test")[0]
    beside = compared(capsys, *options, "old", "new")[0]
    assert inside["sets"] == beside["sets"]
    assert len(inside["sets"]) == 1


def test_languages_and_tasks_of_a_set_are_tested_apart(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    languages = ["es"] * 10 + ["it"] * 10 + ["it"] * 10
    tasks = ["transcribe"] * 20 + ["translate"] * 10
    write_set(tmp_path, "mixed", {"old": 0, "new": 15}, 30, languages, tasks)
    rows = compared(capsys, "--ref", "data/mixed", "--hyp", "old", "new")[0]["sets"]
    assert [(row["name"], row["b"]) for row in rows] == [
        ("mixed/es", 20), ("mixed/it", 10), ("mixed/it-translate", 0), ("mean", 10),
    ]  # fmt: skip


def test_order_of_utterances_does_not_matter(sets, capsys, tmp_path):
    options = ["--ref", sets[0], "--hyp", "old", "new"]
    before = compared(capsys, *options)
    for path in (*tmp_path.glob("data/es_test/*"), *tmp_path.glob("*/es_test/text")):
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(reversed(lines)))
    assert compared(capsys, *options) == before


def test_speakers_are_units(sets, capsys, tmp_path):
    speakers = "".join(f"u{index:02} s{index % 3}\n" for index in range(30))
    (tmp_path / sets[0] / "utt2spk").write_text(speakers)
    options = ["--ref", sets[0], "--hyp", "old", "new", "--unit", "speaker"]
    (row,) = compared(capsys, *options)[0]["sets"]
    # All three got worse.
    assert (row["units"], row["p"]) == (3, 2 / 2**3)
    assert row["points"] == pytest.approx(40 / 3)


def test_gate_names_what_has_fallen(sets, capsys):
    assert gate("--ref", *sets) == 3
    out = capsys.readouterr().out
    assert "p < 0.05 by permutation of utterances (one side, Holm over 2 tests" in out
    (line,) = [line for line in out.splitlines() if line.startswith("FALLEN")]
    assert line.startswith("FALLEN es_test wer: 3.33 -> 16.67, +13.33 points [")
    # 2 tests of 1 / 1001.
    assert line.endswith("p 0.0020")


def test_gate_passes(sets, capsys):
    assert gate("--ref", sets[1]) == 0
    out = capsys.readouterr().out
    assert "not tested, as --ref does not name them: es_test" in out
    assert "passed: nothing has fallen in 1 tests" in out
    assert gate("--ref", *sets, "--margin", "12") == 0
    assert gate("--ref", *sets, "--margin", "5") == 3


def test_gate_is_not_fooled_by_few_errors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_set(tmp_path, "es_test", {"old": 0, "new": 4})
    # Four of four are worse: p is 1/16.
    assert gate("--ref", "data/es_test") == 0
    assert gate("--ref", "data/es_test", "--alpha", "0.1") == 3


def test_gate_watches_the_identification_of_languages(sets, capsys, tmp_path):
    write_languages(tmp_path / "old/it_test", ["it"] * 30)
    write_languages(tmp_path / "new/it_test", ["es"] * 10 + ["it"] * 20)
    (tmp_path / sets[1] / "utt2lang").write_text(
        "".join(f"u{index:02} it\n" for index in range(30))
    )
    assert gate("--ref", sets[1]) == 3
    assert "FALLEN it_test language: 0.00 -> 33.33" in capsys.readouterr().out
    write_languages(tmp_path / "new/it_test", ["it"] * 30, mode=None)
    assert gate("--ref", sets[1]) == 2
    assert "new/it_test/text.json: must name the language" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ref", "data/es_test", "data/fr_test"], "data/fr_test/text: a readable"),
        (["--ref", "data/es_test", "data/es_test/"], "names a set once; es_test"),
        (["--ref", "data/es_test", "--margin", "-1"], "--margin must be >= 0"),
        (["--ref", "data/es_test", "--alpha", "2"], "alpha must lie in (0, 1)"),
        (["--ref", "data/es_test", "--resamples", "9"], "resamples must be >= 20"),
        (["--ref", "data/es_test", "--seed", "-1"], "seed must be >= 0; got -1"),
        (["--ref", "data/es_test", "--metric", "bleu"], "invalid choice: 'bleu'"),
    ],
)
def test_gate_refuses_bad_input(sets, options, message, capsys):
    assert gate(*options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_set_that_the_candidate_lacks_is_refused(sets, capsys, tmp_path):
    (tmp_path / "new/it_test/text").unlink()
    assert gate("--ref", *sets) == 2
    assert "new/it_test/text: a readable file is needed" in capsys.readouterr().err


def test_one_system_is_refused(sets, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["compare", "--ref", *sets, "--hyp", "old"])
    assert stop.value.code == 2
    assert "--hyp takes two systems or more" in capsys.readouterr().err


def test_empty_references_are_refused(sets, capsys, tmp_path):
    lines = "".join(f"u{index:02} .\n" for index in range(30))
    (tmp_path / sets[0] / "text").write_text(lines)
    assert gate("--ref", *sets) == 2
    assert "es_test: some reference must have text" in capsys.readouterr().err


def test_an_empty_set_is_refused(sets, capsys, tmp_path):
    for path in (*tmp_path.glob("data/es_test/*"), *tmp_path.glob("*/es_test/text")):
        path.write_text("")
    assert gate("--ref", *sets) == 2
    assert "data/es_test: a set must have utterances" in capsys.readouterr().err
