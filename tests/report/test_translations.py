"""A report of transcriptions and translations: BLEU never meets an error rate."""

import json
import re
from collections import Counter

import pytest
from sacrebleu.metrics import BLEU, CHRF

from espnet_merge.__main__ import main
from espnet_merge.report.pictures import draw_bleu
from espnet_merge.report.plan import Plan
from espnet_merge.report.results import read_results
from espnet_merge.score.translation import Translations
from tests.report.browser import chromium

REFERENCES = {
    "es_test": {"es-1": "Marque uno.", "es-2": "Adiós a todos."},
    "es-en_test": {
        "es-en-1": "Press one to go on.",
        "es-en-2": "Goodbye to all of you.",
        "es-en-3": "Please enter your number.",
    },
    "it-en_test": {"it-en-1": "Press the star key.", "it-en-2": "Thank you so much."},
}
# Hypotheses that differ from the reference; all others equal it.
HYPOTHESES = {
    "zero_shot": {
        "es-1": "Marca dos",
        "es-en-1": "Press two to go on",
        "es-en-2": "Goodbye everybody, all of you",
        "it-en-1": "Press that star",
    },
    "full_es": {"es-en-1": "", "es-en-2": "Adiós.", "it-en-2": "Grazie."},
    "full_es-en": {"es-1": "Mark one", "es-2": "Goodbye"},
    "joint": {"es-2": "Adiós.", "es-en-3": "Please enter a number."},
    "soup": {"es-1": "Marque.", "es-en-3": "Enter your number now."},
}
TRANSLATED = ("es-en_test", "it-en_test")


def write(exp, sets=tuple(REFERENCES)):
    """Write data and hypotheses, and score them."""
    for name in sets:
        texts, data = REFERENCES[name], exp.parent / "data" / name
        task = "translate" if name in TRANSLATED else "transcribe"
        data.mkdir(parents=True)
        table(data / "text", texts)
        table(data / "utt2lang", dict.fromkeys(texts, name[:2]))
        table(data / "utt2task", dict.fromkeys(texts, task))
        folders = []
        for system, changes in HYPOTHESES.items():
            folders.append(exp / system / "inference_tail" / name)
            folders[-1].mkdir(parents=True)
            table(
                folders[-1] / "text",
                texts | {n: changes.get(n, texts[n]) for n in texts},
            )
            (folders[-1] / "text.json").write_text(json.dumps({"mode": {"beam": 1}}))
        main(["score", "--ref", str(data), "--hyp", *map(str, folders)])


def table(path, rows):
    path.write_text("".join(f"{n} {value}\n" for n, value in rows.items()), "utf-8")


def report(exp, sets=tuple(REFERENCES)):
    words = "--base zero_shot --experts es=full_es es-en=full_es-en --joint joint "
    words += "--merges soup --inference tail --group"
    groups = [
        f"{group}={name if name in sets else ''}"
        for group, name in (("es", "es_test"), ("es-en", "es-en_test"))
    ]
    words = [*words.split(), *groups, "--sets", *sets]
    main(["report", "--expdir", str(exp), *words])
    return (exp / "RESULTS.md").read_text("utf-8").splitlines()


@pytest.fixture(scope="module")
def exp(tmp_path_factory):
    exp = tmp_path_factory.mktemp("translations") / "exp"
    write(exp)
    return exp


@pytest.fixture(scope="module")
def lines(exp):
    return report(exp)


def rows(lines, heading):
    """Return system -> cells of the table under the heading that begins so."""
    (start,) = [i for i, line in enumerate(lines) if line.startswith(heading)]
    found = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return found
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        found[name] = cells
    return found


def expected(system, name, scorer):
    references = REFERENCES[name]
    texts = [HYPOTHESES[system].get(n, text) for n, text in references.items()]
    return scorer.corpus_score(texts, [list(references.values())]).score


@pytest.mark.parametrize(("metric", "scorer"), [("BLEU", BLEU()), ("chrF", CHRF())])
def test_scores_are_sacrebleus_and_their_means_by_group(lines, metric, scorer):
    found = rows(lines, f"### {metric}, raw text, greedy")
    assert found.pop("system") == ["es-en", "**in-domain**", "it-en", "**other**"]
    del found["---"]
    for system, cells in found.items():
        spanish, italian = (expected(system, name, scorer) for name in TRANSLATED)
        numbers = [float(cell.strip("*")) for cell in cells]
        assert numbers == pytest.approx([spanish, spanish, italian, italian], abs=0.05)
    # More is better: 100 for the expert, next the merge.
    assert found["full_es-en"][0] == "**100.0**"
    assert re.fullmatch(r"\*\d+\.\d\*", found["soup"][0])
    (heading,) = [line for line in lines if line.startswith(f"### {metric}, raw")]
    scorer.corpus_score(["a"], [["a"]])
    assert f"`{scorer.get_signature()}`" in heading


def test_error_rates_are_of_transcriptions_alone(lines):
    found = rows(lines, "### WER (%), normalizer `basic`")
    assert found["system"] == ["es", "**in-domain**"]
    assert found["joint"] == ["40.0", "40.0"]
    assert found["full_es"] == ["**0.0**", "**0.0**"]
    assert not [line for line in lines if line.startswith("### error rate")]
    assert "| es-en_test | en | 3 | 14 | 63 | 0 | 0 |" in lines


def test_loops_are_counted_of_both_tasks(tmp_path):
    exp = tmp_path / "exp"
    write(exp)
    path = exp / "soup/inference_tail/es-en_test/score.json"
    path.write_text(path.read_text().replace('"loops": 0', '"loops": 2'))
    found = rows(report(exp), "### Translations with a loop, greedy")
    assert (found["soup"], found["joint"]) == (["2", "0"], ["0", "0"])


def test_both_tasks_are_summed_up(lines, capsys):
    (summary,) = [
        line for line in lines if line.startswith("Best merge: soup, macro WER")
    ]
    score = expected("soup", "es-en_test", BLEU())
    assert f"Macro BLEU over es-en, more is better: soup (merge) {score:.1f}" in summary


def test_a_rise_of_bleu_is_tested_like_by_compare(exp, lines, capsys):
    tested = json.loads((exp / "results.json").read_text())["tail"]["translations"]
    capsys.readouterr()
    folders = [exp / system / "inference_tail" for system in ("zero_shot", "joint")]
    data = [exp.parent / "data" / name for name in TRANSLATED]
    main(
        [
            *("compare", "--metric", "bleu", "--normalizer", "none", "--json"),
            *("--ref", *map(str, data), "--baseline", str(folders[0])),
            *("--hyp", str(folders[1])),
        ]
    )
    (compared,) = json.loads(capsys.readouterr().out)["comparisons"]
    for row, name in zip(compared["sets"], ("es-en", "it-en"), strict=False):
        found = tested["tests"]["joint"][name]
        assert (found["p"], found["low"], found["high"]) == pytest.approx(
            (row["p"], row["low"], row["high"])
        )
        points = tested["bleu"]["joint"][name] - tested["bleu"]["zero_shot"][name]
        assert points == pytest.approx(row["points"])


def test_each_difference_of_bleu_is_tested_once(tmp_path, monkeypatch):
    exp, tests, swapped = tmp_path / "exp", [], Translations.swapped

    def counted(part, *design):
        tests.append(part.name)
        return swapped(part, *design)

    monkeypatch.setattr(Translations, "swapped", counted)
    write(exp, TRANSLATED)
    report(exp, TRANSLATED)
    # Of 4 systems to the base: each set, which is a group by itself.
    assert Counter(tests) == dict.fromkeys(TRANSLATED, 4)


def test_texts_that_are_gone_leave_scores_untested(exp, lines, tmp_path):
    text = exp / "soup/inference_tail/es-en_test/text"
    kept = text.read_bytes()
    text.unlink()
    try:
        again = report(exp)
    finally:
        text.write_bytes(kept)
    tests = json.loads((exp / "results.json").read_text())["tail"]["translations"]
    assert list(tests["tests"]["joint"]) == ["it-en", "other"]
    heading = "### BLEU, raw text, greedy"
    assert rows(again, heading) == rows(lines, heading)


def test_translations_alone_are_a_report(tmp_path, capsys):
    exp = tmp_path / "exp"
    write(exp, TRANSLATED)
    lines = report(exp, TRANSLATED)
    assert rows(lines, "### BLEU, raw text, greedy")["full_es-en"][0] == "**100.0**"
    assert not [line for line in lines if "WER" in line]
    assert [path.name for path in (exp / "images").iterdir()] == ["bleu.png"]
    assert "![BLEU of translations](images/bleu.png)" in lines


def test_bleu_is_drawn_as_it_stands_in_the_table(exp, lines):
    plan = Plan(
        base="zero_shot",
        experts=[],
        joint=["joint"],
        merges=["soup"],
        sets=TRANSLATED,
        groups={"es-en": ["es-en_test"]},
    )
    figure = draw_bleu(read_results(exp, plan, "tail"))
    shown = {axes.get_title(): axes.texts for axes in figure.axes}
    assert [*shown] == ["es-en", "mean\nin-domain", "it-en", "mean\nother"]
    table = rows(lines, "### BLEU, raw text, greedy")
    systems = ("zero_shot", "joint", "soup")
    cells = [table[system][0].strip("*") for system in systems]
    assert [text.get_text() for text in shown["es-en"]] == cells
    (best,) = (x for x in shown["es-en"] if x.get_fontweight() == "bold")
    assert best.get_text() == max(cells, key=float)
    assert "more is better" in figure.get_suptitle()
    assert "normalizer" not in figure.get_suptitle()


def test_a_score_without_bleu_is_refused(tmp_path, capsys):
    exp = tmp_path / "exp"
    write(exp, TRANSLATED)
    path = exp / "soup/inference_tail/es-en_test/score.json"
    score = json.loads(path.read_text())
    del score["metrics"]["chrf"]
    path.write_text(json.dumps(score))
    with pytest.raises(SystemExit):
        report(exp, TRANSLATED)
    assert f"{path}: must hold WER and CER as 'espnet-merge score'" in (
        capsys.readouterr().err
    )


def test_the_page_shows_translations_apart(exp, lines):
    errors = []
    with chromium() as browser:
        page = browser.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto((exp / "report.html").as_uri())
        heads = page.locator("#rates thead th button").all_inner_texts()
        assert [head.strip("▲▼\n") for head in heads] == [
            "system",
            "kind",
            "es",
            "in-domain",
        ]
        bleu = page.locator("#translations table").first
        row = bleu.locator("tbody tr", has_text="full_es-en")
        cell = row.locator("td").nth(1)
        assert cell.locator(".rate").inner_text() == "100.0"
        assert "best" in cell.get_attribute("class")
        assert "--better" in cell.get_attribute("style")
        worse = bleu.locator("tbody tr", has_text="full_es").first.locator("td").nth(1)
        assert "--worse" in worse.get_attribute("style")
        caption = page.locator("#translations .caption").first.inner_text()
        assert "more is better" in caption
        assert "nrefs:1" in caption
        sets = page.get_by_role("combobox", name="Set", exact=True)
        sets.select_option("es-en_test")
        assert page.locator("#utterances ol button").count() == 3
    assert errors == []
