"""The corpus of the prompts recipe, made of tiny packages by the recipe's own code."""

import gzip
import importlib
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from espnet_merge.data.kaldi import KaldiUtterance, read_kaldi
from espnet_merge.errors import InputError
from tests.data.debs import write_deb

RECIPE = Path(__file__).resolve().parents[2] / "egs2" / "prompts" / "merge1"
VOICES = {"es": "es_MX_f_Allison", "en": "en_US_f_Allison"}
TWO_SECONDS = b"\xfa" * 16_000

TEXTS = {
    "es": (
        "; Lista\n"
        "agent-pass: Por favor ingrese su contrasen\u0303a.\n"
        "digits/1: uno\n"
        "digits/un: Uno.\n"
        "vm-and: ... y la tecla numeral...\n"
        "vm-rec: Grabando [con acento]\n"
        "beep: un tono\n"
        "letters/a: a\n"
        "vm-long: una frase que nadie puede decir en tan poco tiempo\n"
        "empty:\n"
        "no-audio: nada\n"
    ),
    "en": "digits/1: one\ndigits/un: one\nagent-pass: Please enter your password.\n",
}


# Of the keys conf-getpin is in test, demo-congrats in valid, the others in train.
KEYS = ["agent-pass", "conf-getpin", "demo-congrats", "digits/1", "digits/un"]


@pytest.fixture
def prepare(tmp_path, monkeypatch):
    """The recipe's module, with tiny packages in the cache ``tmp_path/cache``."""
    monkeypatch.syspath_prepend(str(RECIPE / "local"))
    module = importlib.import_module("prepare")
    known = {}
    for language, text in TEXTS.items():
        keys = [line.partition(":")[0] for line in text.splitlines()]
        folder = f"usr/share/asterisk/sounds/{VOICES[language]}"
        sounds = {
            f"{folder}/{k}.g722": TWO_SECONDS
            for k in keys
            if k[0] != ";" and k != "no-audio"
        }
        sounds |= {f"{folder}/unlisted.g722": TWO_SECONDS, f"{folder}/CREDITS": b"x"}
        name = f"asterisk-core-sounds-{language}"
        listing = gzip.compress(text.encode("utf-8-sig"))
        listings = {f"usr/share/doc/{name}/core-sounds-{language}.txt.gz": listing}
        for package, files in ((name, listings), (f"{name}-g722", sounds)):
            known[package] = write_deb(tmp_path / "cache", package, files)
    monkeypatch.setattr(module, "PACKAGES", known)
    return module


def make(prepare, tmp_path, language):
    places = [tmp_path / name for name in ("data", "audio", "cache")]
    prepare.prepare("prompts", language, *places)
    tables = {
        split: read_kaldi(tmp_path / "data" / f"{language}_{split}")
        for split in ("train", "valid", "test")
    }
    return {
        name: (split, text)
        for split, table in tables.items()
        for name, text in table["text"].items()
    }


def test_texts_are_cleaned_and_what_is_not_said_is_dropped(prepare, tmp_path, capsys):
    found = make(prepare, tmp_path, "es")
    assert {name: text for name, (_, text) in found.items()} == {
        "es-agent-pass": "Por favor ingrese su contraseña.",
        "es-digits_1": "uno",
        "es-digits_un": "Uno.",
        "es-vm-and": "y la tecla numeral",
    }
    words = capsys.readouterr().err.split("\n")
    dropped = [" ".join(line.split()) for line in words if line.endswith("dropped")]
    assert dropped == [
        "letter, silence or tone 2 dropped",
        "no text 1 dropped",
        "no words 1 dropped",
        "note in brackets 1 dropped",
        "text too long for its audio 1 dropped",
    ]


def test_a_data_directory_points_at_its_audio(prepare, tmp_path):
    make(prepare, tmp_path, "es")
    for split in ("train", "valid", "test"):
        tables = read_kaldi(tmp_path / "data" / f"es_{split}")
        assert set(tables["utt2spk"].values()) <= {"es"}
        for name, wav in tables["wav.scp"].items():
            samples, rate = soundfile.read(wav)
            assert (samples.shape, rate) == ((32_000,), 16_000), name
            assert tables["utt2lang"][name] == "es"


def test_a_key_is_in_the_same_split_in_every_language(prepare, tmp_path):
    spanish = make(prepare, tmp_path, "es")
    english = make(prepare, tmp_path, "en")
    shared = {n[3:] for n in spanish} & {n[3:] for n in english}
    assert len(shared) >= 2
    for key in shared:
        assert spanish[f"es-{key}"][0] == english[f"en-{key}"][0]


def test_about_eight_of_a_hundred_sentences_are_for_test(prepare):
    splits = [prepare.split_of(f"key/{number}") for number in range(10_000)]
    shares = {split: splits.count(split) / 10_000 for split in set(splits)}
    assert shares == pytest.approx(
        {"train": 0.83, "valid": 0.09, "test": 0.08}, abs=0.01
    )
    # For ever: results are compared across versions.
    known = {"digits/1": "train", "demo-congrats": "valid", "conf-getpin": "test"}
    assert {key: prepare.split_of(key) for key in known} == known


def test_one_text_never_stands_in_two_splits(prepare):
    def item(name, split, text):
        utterance = prepare.KaldiUtterance(name, f"{name}.wav", text, "es", "es")
        return prepare.Prepared(utterance, split, 1.0)

    items = [
        item("a", "train", "Uno."),
        item("b", "train", "dos"),
        item("c", "train", "dos"),
        item("d", "valid", "uno"),
        item("e", "test", "UNO"),
    ]
    dropped = Counter()
    kept = [i.utterance.name for i in prepare.without_repeats(items, dropped)]
    assert sorted(kept) == ["b", "c", "e"]
    assert dropped == {"text of another split": 2}


def spoken(language, keys):
    """Return split -> utterances as the recognition sets have them."""
    sentences = importlib.import_module("sentences")
    found = {split: [] for split in sentences.SPLITS}
    for key in keys:
        name = f"{language}-{key.replace('/', '_')}"
        utterance = KaldiUtterance(
            name, f"{name}.wav", f"{language} {key}", language, language
        )
        found[sentences.split_of(key)].append(utterance)
    return found


def translate(language, keys, english):
    """Return split -> name -> English text, and what was dropped."""
    translations = importlib.import_module("translations")
    dropped = Counter()
    found = {}
    pairs = translations.translated(spoken(language, keys), language, english, dropped)
    for split, utterance in pairs:
        assert (utterance.language, utterance.task) == (language, "translate")
        found.setdefault(split, {})[utterance.name] = utterance.text
    return found, dropped


def test_a_translation_is_the_english_text_of_the_same_key(prepare, tmp_path, capsys):
    make(prepare, tmp_path, "es")
    prepare.prepare_translation("es", tmp_path / "data", tmp_path / "cache")
    tables = [read_kaldi(tmp_path / "data" / f"es-en_{s}") for s in prepare.SPLITS]
    texts = {name: text for table in tables for name, text in table["text"].items()}
    assert texts == {
        "es-en-agent-pass": "Please enter your password.",
        "es-en-digits_1": "one",
        "es-en-digits_un": "one",
    }
    for split, table in zip(prepare.SPLITS, tables, strict=True):
        source = read_kaldi(tmp_path / "data" / f"es_{split}")
        for name, wav in table["wav.scp"].items():
            assert wav == source["wav.scp"][name.replace("es-en-", "es-")]
        assert set(table["utt2lang"].values()) <= {"es"}
        assert set(table["utt2task"].values()) <= {"translate"}
        assert set(source["utt2task"].values()) <= {"transcribe"}
    dropped = [line.split() for line in capsys.readouterr().err.splitlines()]
    assert ["no", "English", "text", "1", "dropped"] in dropped
    prepare.prepare_translation("es", tmp_path / "data", tmp_path / "cache")
    assert "es-en is there already" in capsys.readouterr().err


def test_english_texts_that_nobody_says_are_dropped(prepare):
    english = {"conf-getpin": "Pin [tone]", "digits/1": "..."}
    found, dropped = translate("es", KEYS[:4], english)
    assert found == {}
    assert dropped == {
        "no English text": 2,
        "English: note in brackets": 1,
        "English: no words": 1,
    }


def test_an_english_text_of_two_keys_stays_in_one_split_in_every_language(prepare):
    english = dict.fromkeys(KEYS, "Enter.") | {"digits/1": "one", "digits/un": "One!"}
    kept = {"test": {"es-en-conf-getpin": "Enter."}}
    kept["train"] = {"es-en-digits_1": "one", "es-en-digits_un": "One!"}
    found, dropped = translate("es", KEYS, english)
    assert found == kept
    assert dropped == {"English text of another split": 2}
    # Of Italian the test key is not spoken; its text is Spanish test all the same.
    found, dropped = translate("it", KEYS[2:], english)
    assert found == {"train": {"it-en-digits_1": "one", "it-en-digits_un": "One!"}}
    assert dropped == {"English text of another split": 1}


WORDS = st.sampled_from(["Yes.", "yes", "No", "no!", "Wait ...", "one two"])


@given(st.dictionaries(st.from_regex("[a-z]{1,3}", fullmatch=True), WORDS), st.data())
def test_no_sentence_crosses_the_split_in_any_language(english, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(RECIPE / "local"))
        plain = importlib.import_module("sentences").plain
        places = {}
        for language in ("es", "it"):
            keys = data.draw(st.sets(st.sampled_from(sorted(english) or ["a"])))
            found, _ = translate(language, keys, english)
            for split, texts in found.items():
                for name, text in texts.items():
                    key = name.partition("-en-")[2]
                    for sentence in (("text", plain(text)), ("key", key)):
                        places.setdefault(sentence, set()).add(split)
    assert all(len(splits) == 1 for splits in places.values())


def test_finished_languages_are_left_alone(prepare, tmp_path, capsys):
    make(prepare, tmp_path, "es")
    before = (tmp_path / "data" / "es_train" / "text").stat()
    make(prepare, tmp_path, "es")
    assert (tmp_path / "data" / "es_train" / "text").stat() == before
    assert "es is there already" in capsys.readouterr().err


def test_broken_audio_is_counted(prepare, tmp_path, capsys, monkeypatch):
    def decode(*_):
        raise InputError("broken")

    monkeypatch.setattr(prepare, "decode", decode)
    assert make(prepare, tmp_path, "en") == {}
    assert "broken audio" in capsys.readouterr().err


def test_dialogue_and_captions_are_read(prepare):
    recordings = importlib.import_module("recordings")
    script = 'dialogId("a-m", "font", "Hi \\"you\\"!")\ndialogStr(\n"Ahoj \\"ty\\"!")\n'
    files = {
        "fillets-ng-data": [("games/script/city/dialogs_cs.lua", script.encode())],
        "fillets-ng-data-cs": [
            ("games/sound/city/cs/a-m.ogg", b"1"),
            ("games/sound/city/cs/b-m.ogg", b"2"),
        ],
        "tuxpaint-stamps-default": [
            ("x/stamps/birds/crow_desc_es.ogg", b"3"),
            ("x/stamps/birds/crow_desc.ogg", b"4"),
            ("x/stamps/birds/crow.txt", b"A crow.\nes.utf8=Un cuervo.\n"),
        ],
    }
    dropped = Counter()
    read = list(recordings.dialogue("cs", files.__getitem__, dropped))
    assert [(r.key, r.text, r.content) for r in read] == [
        ("city/a-m", 'Ahoj "ty"!', b"1")
    ]
    assert dropped == {"no text": 1}
    read = list(recordings.captions("es", files.__getitem__, dropped))
    assert [(r.key, r.text, r.sentence) for r in read] == [
        ("birds/crow", "Un cuervo.", "A crow.")
    ]


def test_every_language_of_a_domain_has_its_packages(monkeypatch):
    monkeypatch.syspath_prepend(str(RECIPE / "local"))
    known = importlib.import_module("packages").PACKAGES
    domains = importlib.import_module("recordings").DOMAINS
    for language in domains["prompts"][0]:
        assert {f"asterisk-core-sounds-{language}{x}" for x in ("", "-g722")} <= {
            *known
        }
    for language in domains["dialogue"][0]:
        assert f"fillets-ng-data-{language}" in known
    assert all(len(package.sha256) == 64 for package in known.values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--langs", "xx"], "--langs must be of prompts: es it ru en fr; got 'xx'."),
        (["--domains", "film"], "--domains must be of prompts, dialogue, captions"),
        (["--lang", "es"], "unknown option"),
        (["--langs", "es,en", "--translate", "en"], "without en: es; got 'en'."),
        (["--langs", "es", "--translate", "it"], "--translate must be of the --langs"),
    ],
)
def test_data_sh_refuses_in_one_line(options, message):
    run = subprocess.run(
        ["local/data.sh", *options], cwd=RECIPE, capture_output=True, text=True
    )
    assert run.returncode == 2
    assert message in run.stderr
    assert len(run.stderr.splitlines()) == 1
