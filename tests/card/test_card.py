"""Model cards: what huggingface_hub reads of them, and what their readers see."""

import json

import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries

from espnet_merge.__main__ import main
from espnet_merge.disk.digest import sha256
from tests.card.conftest import COMMIT, ES_COMMIT, licensed, merge


def card_of(model):
    return ModelCard.load(model / "README.md")


def test_a_merge_has_a_card(merged):
    card = card_of(merged)
    assert card.data.to_dict() == {
        "base_model": ["openai/whisper-tiny", "me/whisper-es"],
        "base_model_relation": "merge",
        "library_name": "transformers",
        "license": "apache-2.0",
        "pipeline_tag": "automatic-speech-recognition",
        "tags": ["whisper", "espnet_merge", "merge", "ties"],
    }
    rows = [line for line in card.text.splitlines() if line.startswith("| ")]
    sources = ("base", "full_es/model", "full_it/model")
    digests = [sha256(merged.parents[1] / x / "model.safetensors") for x in sources]
    expected = [
        ("base", "openai/whisper-tiny", COMMIT, "apache-2.0"),
        ("expert", "me/whisper-es", ES_COMMIT, "mit"),
        ("expert", "full_it", "–", "apache-2.0"),
    ]
    for row, cells, digest in zip(rows[1:], expected, digests, strict=True):
        assert row.startswith(f"| {' | '.join(cells)} | ")
        assert f"model.safetensors `{digest}`" in row
    assert "- `density: 0.2`" in card.text
    assert "exp/" not in card.text  # no path of this machine


def test_an_export_has_the_card_of_what_it_was_made_of(merged, models):
    main(["export", str(merged), "--to", "ctranslate2", "--output", "exp/out"])
    ours, theirs = card_of(merged), card_of(models / "out")
    expected = ours.data.to_dict()
    del expected["library_name"]
    assert theirs.data.to_dict() == expected
    told = "Merged from 2 experts of openai/whisper-tiny by `ties`"
    assert f"{told}; for ctranslate2." in theirs.text
    assert ours.text.splitlines()[6:] == theirs.text.splitlines()[6:]


def test_an_export_of_a_model_is_no_training(models):
    main(["export", "exp/full_es/model", "--output", "exp/out"])
    card = card_of(models / "out")
    assert card.data.base_model == ["me/whisper-es"]
    assert card.data.base_model_relation == "quantized"
    assert card.data.license == "mit"
    assert "Converted from me/whisper-es." in card.text


def test_records_say_it_for_later(merged, models):
    record = yaml.safe_load((merged / "merge.yaml").read_text())
    assert record["base"]["origin"] == f"openai/whisper-tiny@{COMMIT}"
    assert record["experts"][0]["origin"] == f"me/whisper-es@{ES_COMMIT}"
    assert record["experts"][1]["license"] == "apache-2.0"
    merge("--output", "exp/again/model", "--base", "exp/ties/model")
    again = yaml.safe_load((models / "again" / "model" / "merge.yaml").read_text())
    assert "origin" not in again["base"]  # a merge is not what its base was
    assert again["base"]["license"] == "apache-2.0"


def test_licences_that_do_not_go_together_are_told(models):
    licensed(models / "full_es" / "model", "cc-by-nc-nd-4.0")
    merge()
    card = card_of(models / "ties" / "model")
    assert card.data.license is None
    assert "me/whisper-es: cc-by-nc-nd-4.0" in card.text


def test_scores_and_what_was_forgotten(merged, scored, capsys):
    main(["card", str(merged), *scored])
    assert capsys.readouterr().out.splitlines()[-1] == str(merged / "README.md")
    card = card_of(merged)
    assert card.data.language == ["es"]
    assert card.data.model_name == "ties"
    es, it = card.data.eval_results
    assert (es.dataset_name, es.metric_type) == ("es_test", "wer")
    # 5 of 30 utterances of 5 words have one error.
    assert es.metric_value == pytest.approx(100 * 5 / 150, abs=0.01)
    assert it.metric_value == pytest.approx(100 * 28 / 150, abs=0.01)
    assert es.task_type == card.data.pipeline_tag
    assert "normalizer basic" in es.metric_name
    assert "it_test WER: 1.33 to 18.67, +17.33 points" in card.text
    assert "es_test WER:" not in card.text
    main(["card", str(merged), *scored, "--margin", "40"])
    assert "Nothing that 2 tests" in card_of(merged).text


def test_what_the_owner_writes_stays(merged, scored):
    readme = merged / "README.md"
    first = readme.read_text()
    text = first.replace("license: apache-2.0", "license: cc-by-4.0\nwidget: []")
    text = text.replace("- merge\n", "- merge\n- mine\n")
    readme.write_text(f"{text}\n## My words\n")
    main(["card", str(merged), "--license", "cc-by-4.0", *scored[:2]])
    card = card_of(merged)
    assert (card.data.license, card.data.widget) == ("cc-by-4.0", [])
    assert "mine" in card.data.tags
    assert card.text.count("# ties") == 1
    assert card.text.endswith("## My words\n")
    assert "Not tested." in card.text
    once = readme.read_text()
    main(["card", str(merged), "--license", "cc-by-4.0", *scored[:2]])
    assert readme.read_text() == once


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["exp/base"], "merge.yaml or export.yaml"),
        (["exp/ties/model", "--scores", "exp"], "at least one <set>/score.json"),
        (["exp/ties/model", "--baseline", "exp"], "--baseline needs --scores"),
    ],
)
def test_bad_input(merged, capsys, options, message):
    before = (merged / "README.md").read_text()
    with pytest.raises(SystemExit) as stop:
        main(["card", *options])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
    assert (merged / "README.md").read_text() == before


def test_a_broken_record_is_one_line(merged, capsys):
    (merged / "merge.yaml").write_text(json.dumps({"method": "ties", "base": 3}))
    with pytest.raises(SystemExit):
        main(["card", str(merged)])
    assert "merge.yaml: must say what the model was made of" in capsys.readouterr().err


def test_benchmarks_are_listed_as_the_hub_reads_them(merged, scored):
    main(["card", str(merged), *scored, "--benchmarks", "es_test=me/prompts/es"])
    [file] = (merged / ".eval_results").iterdir()
    assert file.name == "es_test.yaml"
    [entry] = parse_eval_result_entries(yaml.safe_load(file.read_text("utf-8")))
    assert (entry.dataset_id, entry.task_id) == ("me/prompts", "es")
    assert entry.value == pytest.approx(100 * 5 / 150, abs=0.01)
    assert entry.notes.startswith("WER, normalizer basic, ")


@pytest.mark.parametrize(
    ("benchmark", "told"),
    [
        ("es_test=prompts", "must be SET=OWNER/DATASET/TASK"),
        ("fr_test=me/prompts/fr", "fr_test has none, there are es_test, it_test"),
    ],
)
def test_benchmarks_that_are_none(merged, scored, capsys, benchmark, told):
    with pytest.raises(SystemExit) as ended:
        main(["card", str(merged), *scored, "--benchmarks", benchmark])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
    assert not (merged / ".eval_results").exists()
