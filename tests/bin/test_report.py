import hashlib
import json
import struct
from collections import Counter

import pytest

from espnet_merge.__main__ import main
from espnet_merge.score import compare
from espnet_merge.score.permutation import permutation_test
from tests.report.fake import MODE, OPTIONS, RATES, write_exp


@pytest.fixture
def exp(tmp_path):
    exp = tmp_path / "exp"
    base = tmp_path / "base"
    base.mkdir()
    (base / "model.safetensors").write_bytes(b"weights")
    write_exp(exp, RATES, "padded", {**MODE, "model": str(base)})
    write_exp(exp, RATES, "true_length", {**MODE, "pad_to": 0})
    (exp / "tsv_m/inference_true_length/en_test/score.json").unlink()
    (exp / "tsv_m/model").mkdir()
    (exp / "tsv_m/model/merge.yaml").write_text("method: tsv_m\nparams: {}\n")
    return exp


def report(exp, *options):
    main(["report", "--expdir", str(exp), *OPTIONS, *options])


def table(text, heading):
    """Return system -> cells of the table under the heading that begins so."""
    start = next(i for i, line in enumerate(text) if line.startswith(heading))
    rows = {}
    for line in text[start + 2 :]:
        if not line.startswith("|"):
            break
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows[name] = cells
    return rows


def test_results_cell_by_cell(exp, capsys):
    report(exp, "padded", "true_length")
    text = (exp / "RESULTS.md").read_text(encoding="utf-8")
    first, second = text.split("## true_length: true length, greedy")
    padded = first.splitlines()
    rates = table(padded, "### WER (%), normalizer `basic`, padded to 30 s, greedy")
    assert rates == {
        "system": ["es", "it", "**in-domain**", "en", "**other**"],
        "---": ["---:"] * 5,
        "zero_shot": ["40.0", "20.0", "30.0", "10.0", "10.0"],
        "full_es": ["**10.0**", "25.0", "17.5", "12.0", "12.0"],
        "full_it": ["45.0", "10.0", "27.5", "11.0", "11.0"],
        "joint": ["12.0", "14.0", "13.0", "10.5", "10.5"],
        "soup": ["25.0", "15.0", "20.0", "10.0", "10.0"],
        "tsv_m": ["*16.0*", "**8.0**", "**12.0**", "**9.0**", "**9.0**"],
    }
    raw = table(padded, "### WER (%), raw text")
    assert raw["joint"] == ["22.0", "24.0", "23.0", "20.5", "20.5"]
    cer = table(padded, "### CER (%), normalizer `basic`")
    assert cer["soup"] == ["5.0", "3.0", "4.0", "2.0", "2.0"]
    relative = table(padded, "### Normalised performance (a): expert / system")
    assert relative["tsv_m"] == ["*62.5*", "**125.0**", "**93.8**"]
    gap = table(padded, "### Normalised performance (b): (zero-shot − system)")
    assert gap["tsv_m"] == ["*80.0*", "**120.0**", "**100.0**"]
    change = table(padded, "### Difference to zero_shot (points of WER)")
    assert change["full_es"] == ["**-30.0**†", "+5.0†", "-12.5†", "+2.0†", "+2.0†"]
    assert change["joint"][3:] == ["+0.5", "+0.5"]
    assert "†: significant, p < 0.05 by permutation of utterances; for" in first
    signs = table(padded, "### Insertions / utterances with a loop")
    assert signs["zero_shot"] == ["200 / 1", "100 / 0", "50 / 0"]
    true_length = second.splitlines()
    rates = table(true_length, "### WER (%), normalizer `basic`, true length")
    assert rates["tsv_m"] == ["*16.0*", "**8.0**", "**12.0**", "–", "–"]
    assert "Without a score, shown as –: tsv_m/en_test." in true_length


def test_what_is_in_a_set_and_not_heard_stands_in_the_results(exp, capsys):
    for system in RATES:
        path = exp / system / "inference_padded" / "es_test" / "score.json"
        score = json.loads(path.read_text())
        score |= {
            "empty_references": 3,
            "not_decoded": {"cut short": 2, "too short": 1},
        }
        path.write_text(json.dumps(score))
    report(exp, "padded")
    lines = (exp / "RESULTS.md").read_text("utf-8").splitlines()
    (row,) = [line for line in lines if line.startswith("| es_test |")]
    assert row == "| es_test | es | 40 | 1000 | 5000 | 3 | 3 |"
    head = lines[lines.index(row) - 2]
    assert head.endswith("| characters | without words | not decoded |")
    (other,) = [line for line in lines if line.startswith("| it_test |")]
    assert other.endswith("| 0 | – |")  # scored by an older version
    assert any("count as deletions." in line for line in lines)


def test_where_results_come_from(exp):
    report(exp, "padded")
    text = (exp / "RESULTS.md").read_text(encoding="utf-8")
    digest = hashlib.sha256(b"weights").hexdigest()
    assert f"  - SHA-256: `{digest}`" in text
    assert "- espnet version: `2026" in text
    assert "- Git hash: `" in text
    assert "--inference padded --utterances 100 --clips 8.0`" in text
    assert "| tsv_m | merge | [merge.yaml](tsv_m/model/merge.yaml) |" in text
    assert "| es_test | es | 40 | 1000 | 5000 |" in text


def test_pictures_numbers_and_the_printed_table(exp, capsys, tmp_path):
    output = tmp_path / "out"
    report(exp, "padded", "--output", str(output))
    for name in ("wer", "retention"):
        content = (output / "images" / f"{name}.png").read_bytes()
        width, height = struct.unpack(">II", content[16:24])
        assert (width, height > 400, len(content) > 20_000) == (1600, True, True)
    saved = json.loads((output / "results.json").read_text())["padded"]
    assert saved["rates"]["tsv_m"]["in-domain"] == 12
    assert saved["settings"]["pad_to"] == 30
    test = saved["tests"]["full_es"]["es"]
    assert test["low"] < -30 < test["high"] < 0
    # All 40 utterances are better: no drawn signs reach that. Three sets are tested.
    assert test["p"] == pytest.approx(3 / 1001)
    printed = capsys.readouterr().out.splitlines()
    assert printed[1].split() == ["es", "it", "in-domain", "en", "other"]
    assert printed[7].split() == ["tsv_m", "16.0", "8.0", "12.0", "9.0", "9.0"]
    assert printed[8].startswith("Use tsv_m here, one model merged from experts")
    assert printed[9].startswith("Best merge: tsv_m")
    assert printed[-2:] == [
        str(output / "images" / "wer.png"),
        str(output / "images" / "retention.png"),
    ]


def test_each_difference_is_tested_once(exp, monkeypatch):
    tests = []

    def counted(points, sides, *design):
        tests.append(sides)
        return permutation_test(points, sides, *design)

    monkeypatch.setattr(compare, "permutation_test", counted)
    report(exp, "padded")
    # Of 5 systems to the base: es, it, their mean and en, which is a group by itself;
    # of the best merge to joint. On one side, of 5 systems: the sets.
    assert Counter(tests) == {2: 5 * 4 + 1, 1: 5 * 3}


def test_same_scores_give_the_same_numbers_and_pictures(exp, tmp_path):
    outputs = [tmp_path / "one", tmp_path / "two"]
    for output in outputs:
        report(exp, "padded", "--output", str(output))
    for name in ("results.json", "images/wer.png", "images/retention.png"):
        one, two = ((output / name).read_bytes() for output in outputs)
        assert one == two


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["beam5"], "inference_beam5/<set>/score.json is needed; there is none"),
        (["padded", "--experts", "full_es"], "--experts takes GROUP=SYSTEM"),
        (["padded", "--group", "en"], "--group takes NAME=SET,SET such as"),
        (["padded", "--group", "es=en_test"], "each name once; got 'es=en_test'"),
        (
            ["padded", "--group", "en=en_tset"],
            "the sets of a group must be in --sets; en_tset of",
        ),
        (["padded", "--group", "en=es_test"], "is named of es and of en"),
        (["padded", "--experts", "fr=x"], "x is of 'fr': add --group fr=SET,SET"),
        (["padded", "--joint", "soup"], "a system must be named once; soup"),
        (["padded", "--utterances", "-1"], "--utterances must be 0 or more; got -1"),
        (["padded", "--clips", "nan"], "--clips must be 0 megabytes or more; got nan"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(exp, options, message, capsys):
    with pytest.raises(SystemExit) as stop:
        report(exp, *options)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (exp / "RESULTS.md").exists()
    assert not (exp / "report.html").exists()
    assert not (exp / "images").exists()


def test_a_broken_score_is_named(exp, capsys):
    path = exp / "soup/inference_padded/es_test/score.json"
    path.write_text("{")
    with pytest.raises(SystemExit):
        report(exp, "padded")
    assert f"{path}: must hold WER and CER" in capsys.readouterr().err


def test_systems_without_any_error_can_be_drawn(tmp_path):
    perfect = {name: dict.fromkeys(row, 0.0) for name, row in RATES.items()}
    write_exp(tmp_path, perfect, "padded")
    report(tmp_path, "padded")
    rates = json.loads((tmp_path / "results.json").read_text())["padded"]["relative"]
    assert rates["soup"] == {"es": 100, "it": 100, "in-domain": 100}
