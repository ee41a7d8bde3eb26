"""Checks of data: a corpus without faults, then one with a fault of each kind."""

import shutil

import pytest

from espnet_merge.data.limits import Limits
from espnet_merge.data.table import read_table, write_table
from espnet_merge.preflight.repeats import (
    repeated_audio,
    repeated_texts,
    shared_speakers,
)
from espnet_merge.preflight.sets import TEST, TRAIN, VALID, read_set, usable
from espnet_merge.preflight.texts import unlikely_speed, wrong_script
from tests.speech import write_data


@pytest.fixture
def corpus(tmp_path):
    """Thirty utterances to train on, and five for each other split: all different."""
    for number, (split, count) in enumerate(((TRAIN, 30), (VALID, 5), (TEST, 5))):
        data = write_data(tmp_path / split, count=count, seed=number)
        for table, value in (("text", "palabra {} de {}"), ("utt2spk", "{1}_{0}")):
            own = read_table(data / table)
            values = {n: value.format(n[-1], split) for n in own}
            write_table(data / table, values)
    return tmp_path


def change(corpus, split, table, **values):
    path = corpus / split / table
    write_table(
        path, read_table(path) | {n.replace("_", "-"): v for n, v in values.items()}
    )


def found(corpus, check, limits=None, count=len):
    limits = limits or Limits()
    sets = [
        read_set(
            corpus / split, split, limits, lambda text, *_: count(text), {"es", "ru"}
        )
        for split in (TRAIN, VALID, TEST)
    ]
    return {one.name: one for one in check(sets)}


CHECKS = (
    *(usable, repeated_texts, repeated_audio, shared_speakers),
    *(wrong_script, unlikely_speed),
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_nothing_is_found_where_there_is_nothing(corpus, check):
    assert {one.state for one in found(corpus, check).values()} == {"ok"}


def only(findings, name):
    """The findings but this one are well."""
    assert {n for n, one in findings.items() if one.state != "ok"} == {name}
    assert findings[name].state == "note"
    assert findings[name].remedy
    return findings[name].detail


def test_texts_in_two_splits(corpus):
    change(corpus, TEST, "text", es_002="¡Palabra 7 de TRAIN!")
    detail = only(found(corpus, repeated_texts), "texts of test in train")
    assert detail.startswith("1 of 5: es-002 '¡Palabra 7 de TRAIN!' = es-0")


def test_recordings_in_two_splits_whatever_their_files(corpus):
    shutil.copy(corpus / TRAIN / "es-004.wav", corpus / VALID / "es-001.wav")
    detail = only(found(corpus, repeated_audio), "audio of valid in train")
    assert detail == "1 of 5: es-001 of valid = es-004 of train"


def test_recordings_of_one_length_are_not_taken_for_one(corpus):
    source, target = corpus / TRAIN / "es-004.wav", corpus / VALID / "es-001.wav"
    content = bytearray(source.read_bytes())
    content[-1] ^= 1  # one sample is another
    target.write_bytes(content)
    assert found(corpus, repeated_audio)["audio of valid in train"].state == "ok"


def test_the_comparison_of_audio_ends(corpus, monkeypatch):
    monkeypatch.setattr("espnet_merge.preflight.repeats.MOST", 0)
    shutil.copy(corpus / TRAIN / "es-004.wav", corpus / VALID / "es-001.wav")
    detail = only(found(corpus, repeated_audio), "compared audio")
    assert detail == "1 recordings of valid were not compared with train"


def test_speakers_in_two_splits(corpus):
    change(corpus, TEST, "utt2spk", es_000="train_3", es_001="train_3")
    detail = only(found(corpus, shared_speakers), "speakers of test in train")
    assert detail == "1 of 4: train_3"


def test_speakers_that_nobody_knows(corpus):
    for split in (TRAIN, TEST):
        names = read_table(corpus / split / "utt2spk")
        write_table(corpus / split / "utt2spk", {name: name for name in names})
    findings = found(corpus, shared_speakers)
    assert "utt2spk names one for each" in only(findings, "unknown speakers")


def test_a_script_of_another_language(corpus):
    change(corpus, TRAIN, "text", es_003="доброе утро")
    change(corpus, TRAIN, "utt2lang", es_004="ru")
    detail = only(found(corpus, wrong_script), "wrong script in train")
    assert detail.startswith("2 of 30: es-003 'доброе утро' in es, es-004 'palabra")


def test_a_translation_is_english_whatever_was_said(corpus):
    change(corpus, TEST, "utt2lang", es_003="ru")
    change(corpus, TEST, "utt2task", es_003="translate")
    assert found(corpus, wrong_script)["wrong script in test"].state == "ok"


def test_texts_of_other_audio(corpus):
    change(corpus, TRAIN, "text", es_005="palabra " * 40)
    detail = only(found(corpus, unlikely_speed), "text for the audio in train")
    assert detail.startswith("1 of 30: es-005 'palabra palabra")


@pytest.mark.parametrize(
    ("reason", "table", "value"),
    [
        ("no text", "text", ""),
        ("unknown language", "utt2lang", "klingon"),
        ("unknown task", "utt2task", "summarise"),
        ("too many tokens", "text", "ab" * 300),
    ],
)
def test_utterances_that_cannot_be_learnt(corpus, reason, table, value):
    change(corpus, TRAIN, table, es_003=value)
    findings = found(corpus, usable)
    detail = only(findings, f"{reason} in train")
    assert detail.startswith("1 of 30: es-003")
    assert findings["usable in train"].detail.startswith("29 utterances, ")


@pytest.mark.parametrize(
    ("reason", "limits"),
    [("too short", {"min_seconds": 1.1}), ("too long", {"max_seconds": 0.5})],
)
def test_lengths(corpus, reason, limits):
    findings = found(corpus, usable, Limits(**limits))
    assert findings[f"{reason} in train"].state == "note"
    assert findings[f"{reason} in test"].remedy.startswith("scored as they are")


def test_a_set_of_which_nothing_is_left_breaks_the_run(corpus):
    names = read_table(corpus / VALID / "text")
    write_table(corpus / VALID / "text", dict.fromkeys(names, ""))
    one = found(corpus, usable)[VALID]
    assert one.is_problem
    assert one.detail == "no utterance is usable (5 no text)"


def test_only_what_is_chosen_is_looked_at(corpus):
    findings = found(corpus, usable, Limits(max_utterances=4))
    assert findings["usable in train"].detail.startswith("4 utterances")
    assert findings["usable in test"].detail.startswith("4 utterances")
