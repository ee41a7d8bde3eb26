"""Publishing on a hub on this machine, through its own client."""

import pytest
from huggingface_hub import ModelCard, constants

from espnet_merge.__main__ import main
from tests.card.conftest import licensed, merge


def push(*options):
    """Return the exit status."""
    try:
        main(["push", "exp/ties/model", "me/whisper-ties", *options])
    except SystemExit as stop:
        return stop.code
    return 0


def test_the_model_its_records_and_its_card_are_sent(hub, merged, scored, capsys):
    (merged / "optimizer.pt").touch()
    assert push(*scored, "--margin", "40") == 0
    assert "me/whisper-ties/commit/" in capsys.readouterr().out
    sent = hub.files["me/whisper-ties"]
    assert sent.keys() == {
        *("README.md", "merge.yaml", "config.json", "generation_config.json"),
        *("model.safetensors", "preprocessor_config.json", "tokenizer.json"),
        *("tokenizer_config.json", "vocab.json", "merges.txt"),
    }
    for name, content in sent.items():
        assert content == (merged / name).read_bytes()
    assert hub.created["me/whisper-ties"]["visibility"] == "private"
    card = ModelCard(sent["README.md"].decode())
    assert (card.data.model_name, card.data.license) == ("whisper-ties", "apache-2.0")
    assert len(card.data.eval_results) == 2


def test_what_another_runtime_reads_is_sent(hub, merged, models):
    main(["export", str(merged), "--to", "ctranslate2", "--output", "exp/out"])
    (models / "out" / "notes.txt").touch()
    main(["push", "exp/out", "me/for-faster-whisper", "--despite", "gate"])
    sent = hub.files["me/for-faster-whisper"]
    assert sent.keys() == {
        *("README.md", "export.yaml", "config.json", "model.bin", "tokenizer.json"),
        *("preprocessor_config.json", "vocabulary.json"),
    }
    assert sent["model.bin"] == (models / "out" / "model.bin").read_bytes()


def test_benchmarks_are_sent(hub, merged, scored):
    benchmark = ("--benchmarks", "es_test=me/prompts/es")
    assert push(*scored, "--margin", "40", *benchmark) == 0
    file = ".eval_results/es_test.yaml"
    assert hub.files["me/whisper-ties"][file] == (merged / file).read_bytes()


def test_a_repository_that_is_there_is_written_to(hub, merged):
    assert push("--despite", "gate", "--public") == 0
    assert hub.created["me/whisper-ties"]["visibility"] == "public"
    hub.files.clear()
    assert push("--despite", "gate") == 0
    assert "model.safetensors" in hub.files["me/whisper-ties"]


def test_the_gate_stands_before_it(hub, merged, scored, capsys):
    assert push(*scored) == 2
    error = capsys.readouterr().err
    assert "significantly worse than exp/zero_shot/inference_padded in 1 of 2" in error
    assert "it_test WER: 1.33 to 18.67" in error
    assert push() == push(*scored[:2]) == 2
    assert "was not tested" in capsys.readouterr().err
    assert hub.created == hub.files == {}
    assert push(*scored, "--despite", "gate") == 0
    assert (
        "it_test WER: 1.33 to 18.67"
        in hub.files["me/whisper-ties"]["README.md"].decode()
    )


def test_licences_stand_before_it(hub, models, capsys):
    licensed(models / "full_it" / "model", "cc-by-nc-4.0")
    licensed(models / "full_es" / "model", "cc-by-sa-4.0")
    merge()
    assert push("--despite", "gate") == 2
    error = capsys.readouterr().err
    assert "me/whisper-es: cc-by-sa-4.0, full_it: cc-by-nc-4.0" in error
    assert "--despite licences" in error
    assert hub.created == {}
    assert push("--despite", "gate", "licences") == 0
    card = ModelCard(hub.files["me/whisper-ties"]["README.md"].decode())
    assert card.data.license is None
    assert push("--despite", "gate", "--license", "cc-by-nc-4.0") == 0
    card = ModelCard(hub.files["me/whisper-ties"]["README.md"].decode())
    assert card.data.license == "cc-by-nc-4.0"


def test_the_hub_is_asked_for_a_licence(hub, models, capsys):
    (models / "full_es" / "model" / "README.md").unlink()
    merge()
    assert push("--despite", "gate") == 2
    assert "me/whisper-es: its licence is not known" in capsys.readouterr().err
    hub.licences["me/whisper-es"] = "cc-by-sa-4.0"
    assert push("--despite", "gate") == 0
    card = ModelCard(hub.files["me/whisper-ties"]["README.md"].decode())
    assert card.data.license == "cc-by-sa-4.0"


def test_what_the_hub_refuses_is_one_line(hub, merged, capsys, monkeypatch):
    hub.token = "Bearer of another"
    assert push("--despite", "gate") == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "me/whisper-ties: the hub refused it" in error
    assert "hf auth login" in error
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert push("--despite", "gate") == 2
    assert "the hub was not reached" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a/b/c", "no spaces/here"])
def test_a_name_must_be_one_of_the_hub(hub, merged, capsys, name):
    with pytest.raises(SystemExit):
        main(["push", "exp/ties/model", name, "--despite", "gate"])
    assert "must be OWNER/NAME" in capsys.readouterr().err
    assert hub.created == {}
