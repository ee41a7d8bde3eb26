"""Many runs side by side, in a table and in a browser."""

import re

import pytest

from espnet_merge.__main__ import main
from espnet_merge.report.run_page import compare_runs
from espnet_merge.report.run_scores import read_scored_runs, shared_sets
from espnet_merge.report.run_settings import differing
from tests.report.browser import chromium
from tests.report.fake import MODE, RATES, write_exp, write_score

BETTER = {**RATES, "tsv_m": {"es": 6.0, "it": 8.0, "en": 9.0}}


@pytest.fixture
def runs(tmp_path):
    """Two runs: in the second TSV-M is better, by another rate and another scale."""
    one, two = tmp_path / "one", tmp_path / "two"
    write_exp(one, RATES, "padded")
    write_exp(two, BETTER, "padded", {**MODE, "beam": 5})
    for place, rate, scale in ((one, "1.0e-05", 1.0), (two, "1.0e-04", 1.5)):
        for system in ("full_es", "full_it"):
            (place / system / "config.yaml").write_text(
                f"optim_conf: {{lr: {rate}}}\nseed: 0\noutput_dir: {place}/{system}\n"
            )
        (place / "tsv_m/model").mkdir()
        record = f"method: tsv_m\nparams: {{scale: {scale}}}\n"
        (place / "tsv_m/model/merge.yaml").write_text(record)
    return [one, two]


def test_systems_by_runs_with_intervals(runs, tmp_path, capsys):
    main(["report", "--runs", *map(str, runs), "--output", str(tmp_path)])
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["system", "one", "two"]
    cells = {line.split("  ")[0]: re.findall(r"[\d.]+ \[[^]]*\]", line) for line in out}
    # The mean over es, it and en: (16 + 8 + 9) / 3 and (6 + 8 + 9) / 3.
    assert [cell.split()[0] for cell in cells["tsv_m"]] == ["11.0", "7.7"]
    assert cells["full_es"][0] == cells["full_es"][1]
    low, high = map(float, re.findall(r"[\d.]+", cells["tsv_m"][0])[1:])
    assert low <= 11.0 <= high
    assert out[-1] == str(tmp_path / "runs.html")


def test_what_is_configured_otherwise(runs):
    assert sorted(differing(read_scored_runs(runs))) == [
        ["decode beam", "all", "1", "5"],
        ["merge params.scale", "tsv_m", "1.0", "1.5"],
        ["train optim_conf.lr", "full_es, full_it", "1e-05", "0.0001"],
    ]


def test_sets_of_other_utterances_are_left_out(runs, tmp_path):
    for system in RATES:
        place = runs[1] / system / "inference_padded/en_test"
        for file in sorted(place.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        place.rmdir()
        write_score(place, 30, words=2000)
    shared, other = shared_sets(read_scored_runs(runs))
    assert sorted(shared) == ["es_test", "it_test"]
    assert other == ["en_test"]
    page = compare_runs(runs, tmp_path).page.read_text("utf-8")
    assert "Of other utterances in some, and left out: en_test." in page


def test_the_page_in_a_browser(runs, tmp_path):
    comparison = compare_runs([*runs[::-1]], tmp_path)
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 360, "height": 640})
        requested = []
        page.on("request", lambda request: requested.append(request.url))
        page.goto(comparison.page.as_uri())
        assert page.locator("h2").first.inner_text() == "Error rates, means over sets"
        section = page.locator("h2:has-text('Differences from two') ~ div").first
        [row] = [r for r in section.locator("tr").all_inner_texts() if "tsv_m" in r]
        assert re.fullmatch(r"tsv_m\t\+3\.3 \[\+[\d.]+, \+[\d.]+\] †", row.strip())
        # A phone shows all of it: tables scroll, the page does not.
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert requested == [comparison.page.as_uri()]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda one, two: [one, one], "is there twice"),
        (lambda one, two: [one, two / "full_es"], "it holds none"),
    ],
)
def test_what_cannot_be_compared(runs, tmp_path, capsys, change, told):
    with pytest.raises(SystemExit) as ended:
        main(["report", "--runs", *map(str, change(*runs)), "--output", str(tmp_path)])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "runs.html").exists()


def test_scores_of_two_normalizers(runs, tmp_path):
    from espnet_merge.errors import InputError

    write_score(runs[1] / "ties/inference_padded/es_test", 30, normalizer="fold")
    with pytest.raises(InputError, match="scored with one normalizer"):
        compare_runs(runs, tmp_path)


def test_a_report_of_one_run_needs_its_systems(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["report", "--sets", "es_test"])
    assert ended.value.code == 2
    assert "needs --expdir, --base, --sets and --inference" in capsys.readouterr().err
