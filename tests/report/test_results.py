import json
import shutil

import pytest

from espnet_merge.errors import InputError
from espnet_merge.report.findings import find
from espnet_merge.report.modes import describe_mode
from espnet_merge.report.plan import Plan
from espnet_merge.report.results import read_results
from espnet_merge.report.tables import (
    describe_decoding,
    identification,
    language_accuracy,
    markdown,
)
from tests.report.fake import MODE, PLAN, RATES, read, write_exp, write_score


def test_every_number_of_the_grids(exp):
    results = read(exp)
    rates = results.rates()
    assert rates.columns == ["es", "it", "in-domain", "en", "other"]
    assert rates.rows["tsv_m"] == [16, 8, 12, 9, 9]
    assert rates.rows["zero_shot"] == [40, 20, 30, 10, 10]
    assert results.rates("raw").rows["joint"] == pytest.approx([22, 24, 23, 20.5, 20.5])
    assert results.rates(metric="cer").rows["soup"] == [5, 3, 4, 2, 2]
    assert results.differences().rows["soup"] == [-15, -5, -10, 0, 0]
    # 10/16 and 10/8; (40 - 16)/(40 - 10) and (20 - 8)/(20 - 10).
    assert results.relative().columns == ["es", "it", "in-domain"]
    assert results.relative().rows["tsv_m"] == pytest.approx([62.5, 125, 93.75])
    assert results.gap_closed().rows["tsv_m"] == pytest.approx([80, 120, 100])
    assert results.gap_closed().rows["full_it"][0] == pytest.approx(-500 / 30)


def test_summary_tells_wins_and_losses(exp):
    summary = find(read(exp), exp).summary
    assert "Best merge: tsv_m, macro WER 12.0 over es, it;" in summary
    assert "it beats joint (joint, 13.0) by 1.0" in summary
    assert "it beats zero-shot (zero_shot, 30.0) by 18.0" in summary
    # 100 errors against 90 and 105, spread evenly over 40 utterances: 10 utterances
    # have one less, 5 one more, and p is about 2 / 2**10, and 2 / 2**5.
    assert "change on en, not trained for: tsv_m -1.0 (p 0.00" in summary
    assert "joint +0.5 (p 0.062, not significant) points" in summary
    assert "The best of 2 merges was chosen on these sets" in summary
    lost = find(read(exp, merges=["soup"]), exp).summary
    assert "it loses to joint (joint, 13.0) by 7.0" in lost
    none = find(read(exp, merges=[]), exp).summary
    assert none.startswith("No merge has scores")


def test_identified_languages_have_a_table(exp):
    assert list(identification(read(exp))) == []
    row = {
        "es": {"utterances": 38, "errors": 38, "reference": 200, "rate": 19.0},
        "it": {"utterances": 2, "errors": 9, "reference": 10, "rate": 90.0},
    }
    path = exp / "soup/inference_padded/es_test"
    shutil.rmtree(path)
    write_score(path, 250, identification={"es": row})
    title, _, head, _, only, _ = identification(read(exp))
    assert title.startswith("### Utterances by identified language (WER in")
    assert head == "| system | set | spoken | es | it |"
    assert only == "| soup | es_test | es | 38 (19.0 %) | 2 (90.0 %) |"


def test_language_accuracy_where_the_language_is_given(exp):
    """By hand: 38 of 40 are right; which were not is in score.json."""
    assert list(language_accuracy(read(exp))) == []
    row = {"es": {"utterances": 38, "rate": 19.0}, "it": {"utterances": 2, "rate": 9.0}}
    path = exp / "soup/inference_padded/es_test"
    shutil.rmtree(path)
    mode = {**MODE, "hear": True}
    write_score(path, 250, identification={"es": row}, mode=mode)
    results = read(exp)
    assert list(identification(results)) == []
    title, _, head, _, *rows = language_accuracy(results)
    assert title.startswith("### Language identified correctly, in % of the utterances")
    assert head == "| system | es | it | **in-domain** | en | **other** |"
    assert "| soup | **95.0** | – | – | – | – |" in [
        r.replace("***", "**") for r in rows
    ]
    assert "### Language identified" in "\n".join(
        markdown(results, find(results, exp).transcribed)
    )


def test_a_missing_score_is_never_averaged_over(exp):
    (exp / "tsv_m/inference_padded/it_test/score.json").unlink()
    results = read(exp)
    assert results.missing == ["tsv_m/it_test"]
    assert results.rates().rows["tsv_m"] == [16, None, None, 9, 9]
    assert "Best merge: soup" in find(results, exp).summary


def test_the_first_expert_of_a_group_is_the_yardstick(exp):
    write_exp(exp, {"lora_es": {"es": 20.0, "it": 25.0, "en": 12.0}}, "padded")
    results = read(exp, experts=[*PLAN["experts"], ("es", "lora_es")])
    assert results.relative().rows["lora_es"][0] == 50


def test_experts_of_one_language_are_told_apart_by_their_groups(exp):
    """By hand: es_news is trained on news, and es_ood is of nobody."""
    rates = {
        "zero_shot": {"es_news": 30.0, "es_ood": 50.0},
        "full_es": {"es_news": 20.0, "es_ood": 60.0},
        "full_es_news": {"es": 25.0, "es_news": 5.0, "es_ood": 40.0},
        "soup": {"es_news": 10.0, "es_ood": 45.0},
    }
    write_exp(exp, rates, "padded")
    results = read(
        exp,
        experts=[("es", "full_es"), ("news", "full_es_news")],
        joint=[],
        merges=["soup"],
        sets=["es_test", "es_news_test", "es_ood_test"],
        groups={"es": ["es_test"], "news": ["es_news_test"]},
    )
    columns = ["es_test", "es_news_test", "in-domain"]
    columns += ["es_ood_test", "out-of-domain", "full"]
    assert results.rates().columns == columns
    assert results.rates().rows["soup"] == [25, 10, 17.5, 45, 45, 80 / 3]
    # 10 / 25 and 5 / 10: the yardstick of news is the expert of news.
    assert results.relative().rows["soup"] == [40, 50, 45]
    assert results.gap_closed().rows["soup"][1] == 80


def test_sets_of_one_language_and_of_other_units_are_named(exp):
    for system in RATES:
        folder = exp / system / "inference_padded"
        write_score(folder / "es_captions_test", 500)
        write_score(folder / "zh_test", 100, main="cer")
    results = read(exp, sets=["es_test", "es_captions_test", "zh_test"],
                   experts=[("es", "full_es")],
                   groups={"es": ["es_test", "es_captions_test"]})  # fmt: skip
    assert results.rates().columns == [
        "es_test (WER)",
        "es_captions_test (WER)",
        "in-domain",
        "zh (CER)",
        "other",
    ]
    assert results.rates().rows["soup"][3] == 2
    assert results.metric_name == "error rate"


def test_the_base_may_have_a_mode_of_its_own(tmp_path):
    write_exp(tmp_path, {"zero_shot": RATES["zero_shot"]}, "padded")
    others = {name: row for name, row in RATES.items() if name != "zero_shot"}
    write_exp(tmp_path, others, "true_length", {**MODE, "pad_to": 0})
    results = read_results(tmp_path, Plan(**PLAN), "true_length", "padded")
    assert results.missing == []
    assert describe_decoding(results) == (
        "true length, greedy, language given (zero_shot: padded to 30 s)"
    )
    assert results.differences().rows["tsv_m"][0] == -24


def test_systems_decoded_as_they_were_trained_say_so_in_their_rows(tmp_path):
    trained = {"pad_to": 0, "tail": 4}
    modes = dict.fromkeys(("zero_shot", "full_it", "soup"), MODE)
    modes |= {
        name: {**MODE, **trained, "trained": trained}
        for name in ("full_es", "joint", "tsv_m")
    }
    for name, mode in modes.items():
        write_exp(tmp_path, {name: RATES[name]}, "as_trained", mode)
    results = read_results(tmp_path, Plan(**PLAN), "as_trained")
    assert (
        describe_decoding(results)
        == "each row as its model was trained, greedy, language given"
    )
    lines = list(markdown(results, find(results, tmp_path).transcribed))
    tables = [line for line in lines if line.startswith("| system |")]
    assert all(line.endswith("| decoded |") for line in tables)
    (row, *_) = [line for line in lines if line.startswith("| joint |")]
    assert row.endswith("| true length, 4 s of silence after it |")
    (row, *_) = [line for line in lines if line.startswith("| soup |")]
    assert row.endswith("| padded to 30 s |")


def test_a_mode_that_is_not_the_trained_one_is_refused_beside_others(tmp_path):
    trained = {"pad_to": 0, "tail": 4}
    write_exp(tmp_path, RATES, "as_trained")
    shutil.rmtree(tmp_path / "joint")
    write_exp(tmp_path, {"joint": RATES["joint"]}, "as_trained", {**MODE, **trained})
    with pytest.raises(InputError, match=r"pad_to must be that of .* 30; got 0"):
        read_results(tmp_path, Plan(**PLAN), "as_trained")


def test_modes_in_words():
    assert describe_mode({"pad_to": 0, "beam": 5, "language": "es"}) == (
        "true length, beam 5, language es"
    )
    mode = {"pad_to": 30, "backend": "ctranslate2", "dtype": "int8"}
    assert describe_mode({**mode, "language": "auto", "temperatures": [0.2]}) == (
        "padded to 30 s, language auto, by ctranslate2, int8, with fallback"
    )
    usual = {"backend": "torch", "dtype": "float32", "temperatures": None}
    assert describe_mode({**mode, **usual}) == "padded to 30 s, language given"
    assert describe_mode({}) == "decoding mode unknown"


def test_part_has_the_errors_of_each_utterance(exp):
    part = read(exp).part("it_test", ("tsv_m", "joint"))
    assert part.metric == "wer"
    assert list(part.tokens) == [25] * 40
    assert list(part.errors.sum(axis=0)) == [80, 140]
    assert part.errors.tolist() == [[2, 4]] * 20 + [[2, 3]] * 20


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "must be what .*FileNotFoundError: score again"),
        (lambda path: path.write_bytes(b"\xff"), "UnicodeDecodeError: score again"),
        (lambda path: path.write_text(""), "got 0 errors in 0 tokens: score again"),
        (
            lambda path: path.write_text(path.read_text().replace(" 7 0 0", " 8 0 0")),
            r"add up to the rate in score.json, 25.00 %; got 260 errors in 1010",
        ),
        (
            lambda path: path.write_text(path.read_text().replace("u07", "x07")),
            r"each utterance's tokens must be .* \('u07', 25\); got \('u08', 25\)",
        ),
    ],
)
def test_counts_that_do_not_fit_are_refused(exp, spoil, message):
    spoil(exp / "soup/inference_padded/es_test/score_wer/result.txt")
    with pytest.raises(InputError, match=message):
        read(exp)


def change(exp, **changes):
    path = exp / "soup/inference_padded/es_test/score.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normalizer": "fold"}, "normalizer must be that of the other systems"),
        ({"mode": {**MODE, "pad_to": 0}}, "pad_to must be .* 30; got 0"),
        ({"mode": {**MODE, "beam": 5}}, "beam must be .* 1; got 5"),
        ({"mode": {**MODE, "backend": "ctranslate2"}}, "backend must be .* None; got"),
        ({"utterances": 39}, "utterances must be .* 40; got 39"),
        ({"metrics": {}}, "must hold WER and CER"),
        ({"rules_digest": "of an older table"}, "made by others: score again"),
    ],
)
def test_what_cannot_be_compared_is_refused(exp, changes, message):
    change(exp, **changes)
    with pytest.raises(InputError, match=message):
        read(exp)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"joint": ["soup"]}, "system must be named once; soup"),
        ({"sets": ["es_test", "es_test"]}, "set must be named once; es_test"),
        ({"groups": {"es": ["es_test"], "it": ["es_test"]}}, "of es and of it"),
        ({"groups": {"es": ["es_test", "es_test"]}}, "once; es_test is named of es"),
        ({"groups": {"es": ["es_phone_test"]}}, "es_phone_test of es is none of them"),
        ({"experts": [("fr", "full_fr")]}, "full_fr is of 'fr': add --group fr="),
    ],
)
def test_bad_plans(exp, changes, message):
    with pytest.raises(InputError, match=message):
        read(exp, **changes)
