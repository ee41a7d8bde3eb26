"""What coefficients may be chosen on, and what is refused."""

import json
import shutil
from pathlib import Path

import pytest

from espnet_merge.errors import InputError
from espnet_merge.search.development import check_development

EXPERT = Path("exp/full_es/model")


@pytest.fixture(autouse=True)
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    EXPERT.mkdir(parents=True)
    for name in ("es_train", "es_valid", "es_test", "radio"):
        write(f"dump/{name}", f"{name}-1", f"{name}-2")


def write(data, *names):
    Path(data).mkdir(parents=True)
    lines = "".join(f"{name} text of {name}\n" for name in names)
    Path(data, "text").write_text(lines)
    return Path(data)


def score(data):
    directory = Path("exp/zero_shot/inference_padded") / Path(data).name
    directory.mkdir(parents=True)
    (directory / "score.json").write_text(json.dumps({"reference": str(data)}))


def refused(data):
    with pytest.raises(InputError) as error:
        check_development([Path(data)], [EXPERT])
    assert str(error.value).startswith(f"{data}: coefficients must be chosen on dev")
    return str(error.value)


def test_development_sets_are_taken():
    score("dump/es_test")
    check_development([Path("dump/es_valid"), Path("dump/radio")], [EXPERT])
    # The first ids of two corpora may be the same.
    Path("dump/radio/text").write_text("es_test-1 something else\n")
    check_development([Path("dump/radio")], [EXPERT])


@pytest.mark.parametrize("name", ["es_test", "test", "test-clean", "es_phone_test2"])
def test_a_test_set_is_known_by_its_name(name):
    write(f"other/{name}", "a")
    assert "by its name it is a test set" in refused(f"other/{name}")


def test_a_training_set_is_known_by_its_name():
    assert "by its name it is a training set" in refused("dump/es_train")


def test_of_a_set_without_texts_ids_are_compared():
    copy = shutil.copytree("dump/es_test", "dump/es_dev")
    for data in (copy, "dump/es_test"):
        shutil.copy("dump/es_test/text", Path(data, "wav.scp"))
    Path(copy, "text").unlink()
    assert "es_test-1 is an utterance of" in refused(copy)
    Path(copy, "wav.scp").write_text("es-9 es-9.wav\n")
    check_development([Path(copy)], [EXPERT])


def test_what_was_scored_is_a_test_set():
    score("dump/radio")
    assert "there are scores of it" in refused("dump/radio")
    Path("dump/link").symlink_to("radio")
    assert "there are scores of it" in refused("dump/link")


def test_a_copy_of_test_or_training_data_is_found():
    shutil.copytree("dump/es_test", "dump/es_dev")
    assert "es_test-1 is an utterance of" in refused("dump/es_dev")
    mixed = write("dump/mixed", "radio-9", "es_train-2")
    assert "dump/es_train, too" in refused(mixed)
    score("dump/radio")
    far = write("far/away", "radio-2")
    assert "dump/radio, too" in refused(far)


def test_an_expert_may_be_a_file_at_the_root():
    check_development([Path("dump/es_valid")], [Path("/es.pt")])
