"""The corpus of the prompts recipe, made of tiny packages by the recipe's own code."""

import gzip
import importlib
import io
import struct
import subprocess
import wave
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from espnet_merge.data.kaldi import KaldiUtterance, read_kaldi
from espnet_merge.data.validate import validate
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
    "en": "digits/1: one\ndigits/un: one\nagent-pass: Please enter your password.\n"
    "vm-and: a sentence that nobody can have said in as little as two seconds\n",
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
    monkeypatch.setattr(importlib.import_module("packages"), "PACKAGES", known)
    return module


def make(prepare, tmp_path, language):
    places = [tmp_path / name for name in ("data", "audio", "cache")]
    prepare.prepare(
        [prepare.Set(language, "prompts", language)],
        prepare.Places(*places, prepare.Percent(8, 9)),
    )
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


PERCENT = (8, 9)


def test_so_many_of_a_hundred_sentences_are_for_test(prepare):
    percent = prepare.Percent(*PERCENT)
    splits = [prepare.split_of(f"key/{number}", percent) for number in range(10_000)]
    shares = {split: splits.count(split) / 10_000 for split in set(splits)}
    assert shares == pytest.approx(
        {"train": 0.83, "valid": 0.09, "test": 0.08}, abs=0.01
    )
    # For ever: results are compared across versions.
    known = {"digits/1": "train", "demo-congrats": "valid", "conf-getpin": "test"}
    assert {key: prepare.split_of(key, percent) for key in known} == known
    # With larger percentages what was for test stays so.
    assert prepare.split_of("conf-getpin", prepare.Percent(30, 10)) == "test"


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
    dropped = {"es": Counter(), "es_tv": Counter(), "it": Counter()}
    sets = {
        "es": items,
        # Of another domain, and of another language.
        "es_tv": [item("f", "train", "Uno!"), item("g", "valid", "tres")],
        "it": [item("h", "train", "Uno!")],
    }
    other = replace(sets["it"][0].utterance, language="it")
    sets["it"][0] = sets["it"][0]._replace(utterance=other)
    there = {("es", "tres"): "train"}
    kept = prepare.without_repeats(sets, there, dropped)
    names = {name: [i.utterance.name for i in items] for name, items in kept.items()}
    assert names == {"es": ["e", "b", "c"], "es_tv": [], "it": ["h"]}
    assert dropped["es"] == dropped["es_tv"] == {"text of another split": 2}
    assert not dropped["it"]


def spoken(language, keys):
    """Return split -> utterances as the recognition sets have them."""
    sentences = importlib.import_module("sentences")
    found = {split: [] for split in sentences.SPLITS}
    for key in keys:
        name = f"{language}-{key.replace('/', '_')}"
        utterance = KaldiUtterance(
            name, f"{name}.wav", f"{language} {key}", language, language
        )
        percent = sentences.Percent(*PERCENT)
        found[sentences.split_of(key, percent)].append(utterance)
    return found


def translate(language, keys, english):
    """Return split -> name -> English text, and what was dropped."""
    translations = importlib.import_module("translations")
    text_of = importlib.import_module("recording").Text
    english = {key: text_of(text, key) for key, text in english.items()}
    dropped = Counter()
    found = {}
    pairs = translations.translated(
        spoken(language, keys),
        language,
        language,
        english,
        importlib.import_module("sentences").Percent(*PERCENT),
        dropped,
    )
    for split, utterance in pairs:
        assert (utterance.language, utterance.task) == (language, "translate")
        found.setdefault(split, {})[utterance.name] = utterance.text
    return found, dropped


def test_a_translation_is_the_english_text_of_the_same_key(prepare, tmp_path, capsys):
    make(prepare, tmp_path, "es")
    chosen = prepare.Set("es", "prompts", "es")
    places = prepare.Places(
        tmp_path / "data",
        tmp_path / "audio",
        tmp_path / "cache",
        prepare.Percent(*PERCENT),
    )
    prepare.prepare_translation(chosen, places)
    tables = [read_kaldi(tmp_path / "data" / f"es-en_{s}") for s in prepare.SPLITS]
    texts = {name: text for table in tables for name, text in table["text"].items()}
    assert texts == {
        "es_en-agent-pass": "Please enter your password.",
        "es_en-digits_1": "one",
        "es_en-digits_un": "one",
    }
    for split, table in zip(prepare.SPLITS, tables, strict=True):
        source = read_kaldi(tmp_path / "data" / f"es_{split}")
        for name, wav in table["wav.scp"].items():
            assert wav == source["wav.scp"][name.replace("es_en-", "es-")]
        assert set(table["utt2lang"].values()) <= {"es"}
        assert set(table["utt2task"].values()) <= {"translate"}
        assert set(source["utt2task"].values()) <= {"transcribe"}
    sets = [tmp_path / "data" / f"{name}_train" for name in ("es", "es-en")]
    assert all(len(read_kaldi(one)["text"]) > 1 for one in sets)
    validate(sets)
    dropped = [line.split() for line in capsys.readouterr().err.splitlines()]
    assert ["text", "too", "long", "for", "its", "audio", "1", "dropped"] in dropped
    prepare.prepare_translation(chosen, places)
    assert "es-en is there already" in capsys.readouterr().err


def test_translations_of_a_domain_have_names_of_their_own(prepare):
    translations = importlib.import_module("translations")
    text_of = importlib.import_module("recording").Text
    tv = KaldiUtterance("es_tv-D1", "a.wav", "Hola.", "es_tv-D1", "es")
    pairs = translations.translated(
        {"test": [tv]},
        "es_tv",
        "es",
        {"D1": text_of("Hello.", "HELLO.")},
        importlib.import_module("sentences").Percent(99, 0),
        Counter(),
    )
    assert list(pairs) == [
        (
            "test",
            KaldiUtterance(
                "es_en_tv-D1", "a.wav", "Hello.", "es_en_tv-D1", "es", "translate"
            ),
        )
    ]


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
    kept = {"test": {"es_en-conf-getpin": "Enter."}}
    kept["train"] = {"es_en-digits_1": "one", "es_en-digits_un": "One!"}
    found, dropped = translate("es", KEYS, english)
    assert found == kept
    assert dropped == {"English text of another split": 2}
    # Of Italian the test key is not spoken; its text is Spanish test all the same.
    found, dropped = translate("it", KEYS[2:], english)
    assert found == {"train": {"it_en-digits_1": "one", "it_en-digits_un": "One!"}}
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
                    key = name.partition("_en-")[2]
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
    dialogue = importlib.import_module("dialogue").dialogue
    captions = importlib.import_module("captions").captions
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
    read = list(dialogue("cs", files.__getitem__, dropped))
    assert [(r.key, r.text, r.content) for r in read] == [
        ("city/a-m", 'Ahoj "ty"!', b"1")
    ]
    assert dropped == {"no text": 1}
    read = list(captions("es", files.__getitem__, dropped))
    assert [(r.key, r.text, r.sentence) for r in read] == [
        ("birds/crow", "Un cuervo.", "A crow.")
    ]


def test_lines_of_drascula_are_read(prepare):
    module = importlib.import_module("drascula")

    def entries(texts):
        rows = [text.encode("cp850") + b"\0" for text in texts]
        body = b"xx" + b"".join(struct.pack(">H", len(r) + 2) + r for r in rows)
        return struct.pack(">H", len(body)) + body

    english, spanish = ["", "I'M HERE! WHO'S THAT? I"], ["", "¿ESTÁºAHÍ?"]
    table = struct.pack(">H", 2) + entries(english) + entries(spanish)
    tables = table + entries([]) * 4
    data = bytes(module.TABLES) + tables * 2
    sound = bytes(32) + b"\x80" * 11_025 + bytes(32)
    clips = {"1.ALS": sound, "d1.als": sound, "0.als": sound, "ZZ1.als": sound}
    files = {
        "drascula": [
            ("s/en/drascula.dat", data),
            *((f"s/en/{c}", sound) for c in clips),
        ],
        "drascula-spanish": [(f"s/es/{clip}", sound) for clip in clips],
    }
    dropped = Counter()
    read = list(module.drascula("es", files.__getitem__, dropped))
    assert [(r.key, r.text, r.sentence) for r in read] == [
        ("1", "¿Está ahí?", english[1]),
        ("D1", "¿Está ahí?", english[1]),
    ]
    assert dropped == {"no text": 2}
    with wave.open(io.BytesIO(read[0].content)) as clip:
        assert (clip.getframerate(), clip.getnframes()) == (11_025, 11_025)
    (first, _) = module.drascula("en", files.__getitem__, dropped)
    assert first.text == "I'm here! Who's that? I"
    written = module.drascula_english(files.__getitem__)
    assert written["D1"] == (first.text, english[1])
    # Transcripts, English texts and translations are split alike.
    assert {r.key: r.sentence for r in read} == {k: written[k][1] for k in ("1", "D1")}


def test_lines_of_the_amazon_queen_are_read(prepare):
    module = importlib.import_module("amazon_queen")

    def texts(rows):
        body = b""
        for number, text in rows.items():
            body += struct.pack(">xxhB", number, len(text)) + text.encode("latin-1")
            body += bytes(-len(body) % 4)
        return body

    joe, other = {3: "Hello.*SD And you?"}, {4: "A caf\xe9^_.", 5: "(sigh)"}
    at = module.LEVELS + len(texts(joe))  # there are no levels
    numbers = [0, 0, 7, 1, 2, 0, 0, 0, 0, 0, -1, at, 0, 0, 0, 0]
    dog = bytes(module.HEAD) + struct.pack(">16h", *numbers) + texts(joe) + texts(other)
    members = {
        "ANA.DOG": dog,
        "070003J1.SB": b"a",
        "070003J2.SB": b"b",
        "070004P1.SB": b"c",
        "BOOM.SB": b"d",
    }
    start = module.ENTRIES + module.ENTRY_SIZE * len(members)
    archive, body = bytes(module.COUNT) + struct.pack(">H", len(members)), b""
    for name, content in members.items():
        archive += struct.pack(
            ">12sxII", name.encode(), start + len(body), len(content)
        )
        body += content
    dropped = Counter()
    package = [("usr/share/queen.1c", archive + body)]
    read = module.amazon_queen("en", lambda _: iter(package), dropped)
    assert [(r.key, r.text, r.content, r.container) for r in read] == [
        ("070003J1", "Hello.", b"a", "mp3"),
        ("070003J2", "And you?", b"b", "mp3"),
        ("070004P1", "A caf\xe9.", b"c", "mp3"),
    ]
    assert dropped == {"no text": 1}


def test_every_language_of_a_domain_has_its_packages(monkeypatch):
    monkeypatch.syspath_prepend(str(RECIPE / "local"))
    known = importlib.import_module("packages").PACKAGES
    domains = importlib.import_module("domains").DOMAINS
    for language in domains["prompts"].languages:
        assert {f"asterisk-core-sounds-{language}{x}" for x in ("", "-g722")} <= {
            *known
        }
    for language in domains["dialogue"].languages:
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
        (["--test", "60", "--valid", "40"], "percentages that leave some for training"),
    ],
)
def test_data_sh_refuses_in_one_line(options, message):
    run = subprocess.run(
        ["local/data.sh", *options], cwd=RECIPE, capture_output=True, text=True
    )
    assert run.returncode == 2
    assert message in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_second_voice_reads_test_prompts_of_the_same_words(monkeypatch):
    monkeypatch.syspath_prepend(str(RECIPE / "local"))
    module = importlib.import_module("second_voice")
    folder = "usr/share/asterisk/sounds/it"
    # All but agent-newlocation are in test; conf-getpin has other words.
    keys = ["conf-locked", "conf-getpin", "agent-newlocation", "letters/a", "no-text"]
    listing = gzip.compress(b"".join(f"{k}: Prego\n".encode() for k in keys[:-1]))
    given = {
        "asterisk-core-sounds-it": [("usr/share/doc/x/core-sounds-it.txt.gz", listing)],
        "asterisk-prompt-it-menardi-wav": [
            (f"{folder}/{key}.wav", key.encode()) for key in keys
        ],
    }
    splits = [module.split_of(key, module.Percent(30, 10)) for key in keys[:3]]
    assert splits == ["test", "test", "train"]
    found = list(module.second_voice(given.__getitem__, module.Percent(30, 10)))
    assert [(r.key, r.text, r.content) for r in found] == [
        ("conf-locked", "Prego", b"conf-locked")
    ]
