"""What is dropped, what is refused, and that a run can be repeated."""

import csv
import json
import os
import re
import shutil

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from espnet_merge.__main__ import main
from espnet_merge.data.kaldi import read_kaldi
from espnet_merge.data.sets import clean
from tests.corpora.miniatures import SPOKEN, record, write_csv

HEADER = ["audio", "text", "speaker"]


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    write_csv(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words, form="csv", source="clips.csv"):
    main(["import", source, "--from", form, "--lang", "es", *words])


def write(path, rows, **style):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, **style).writerows(rows)


def test_table_of_what_was_dropped(corpus, capsys):
    good = [[f"clips/{name}.wav", "hola", "ana"] for name in SPOKEN]
    (corpus / "clips" / "cut.wav").write_bytes(
        (corpus / "clips" / "a1.wav").read_bytes()[:9000]
    )
    (corpus / "clips" / "none.wav").touch()
    bad = [
        ["clips/gone.wav", "hola", "ana"],
        ["clips/cut.wav", "hola", "ana"],
        ["clips/none.wav", "hola", "ana"],
        ["clips/a1.wav", "", "ana"],
        ["clips/a1.wav", "?!", "ana"],
        ["", "hola", "ana"],
        ["clips/a1.wav", "hola"],
        ["clips/a2.wav", "hola", "ana"],
    ]
    write(corpus / "clips.csv", [HEADER, *good, *bad])
    # The same recording with another text must not have the same name.
    with pytest.raises(SystemExit):
        run("--split", "train")
    del bad[4]
    write(corpus / "clips.csv", [HEADER, *good, *bad])
    capsys.readouterr()
    run("--split", "train")
    assert capsys.readouterr().out.splitlines() == [
        "data/es_train               6     0.1 min",
        "dropped, all in data/local/es/dropped.tsv",
        "  cut short                   1   clips.csv:9",
        "  empty audio                 1   clips.csv:10",
        "  listed twice                1   clips.csv:14",
        "  no recording                1   clips.csv:12",
        "  no such file                1   clips.csv:8",
        "  no text                     1   clips.csv:11",
        "  number of columns           1   clips.csv:13",
    ]
    listed = (corpus / "data/local/es/dropped.tsv").read_text().splitlines()
    assert len(listed) == 7
    assert "no text\tclips.csv:11" in listed


def test_nothing_is_dropped_from_a_test_set_for_its_audio(corpus):
    os.remove("clips/a1.wav")
    run("--split", "test")
    tables = read_kaldi(corpus / "data" / "es_test")
    assert len(tables["text"]) == len(SPOKEN)
    assert tables["wav.scp"]["es-ana-a1"] == "None"
    assert tables["utt2defect"] == {"es-ana-a1": "no such file"}


def test_second_run_does_nothing_and_another_corpus_is_refused(corpus, capsys):
    run("--split", "train")
    before = {p: p.stat().st_mtime_ns for p in (corpus / "data").rglob("*")}
    capsys.readouterr()
    run("--split", "train", "--jobs", "1")
    assert capsys.readouterr().out == "data/es_train: is there already\n"
    with pytest.raises(SystemExit) as stop:
        run("--split", "train", "--task", "translate", "--overwrite", "--lang", "xx")
    assert stop.value.code == 2
    write(corpus / "clips.csv", [HEADER, ["clips/a1.wav", "otra", "ana"]])
    with pytest.raises(SystemExit) as stop:
        run("--split", "train")
    assert stop.value.code == 2
    assert "data/es_train: exists; give another" in capsys.readouterr().err
    assert {p: p.stat().st_mtime_ns for p in (corpus / "data").rglob("*")} == before
    run("--split", "train", "--overwrite")
    assert read_kaldi(corpus / "data/es_train")["text"] == {"es-ana-a1": "otra"}


def test_what_is_no_result_is_never_replaced(corpus, capsys):
    place = corpus / "data" / "es_train"
    place.mkdir(parents=True)
    (place / "thesis.tex").touch()
    with pytest.raises(SystemExit):
        run("--split", "train", "--overwrite")
    assert "exists without wav.scp" in capsys.readouterr().err


def test_a_run_that_was_killed_goes_on(corpus, monkeypatch):
    record(corpus / "clips", ".mp3")
    table = (corpus / "clips.csv").read_text("utf-8").replace(".wav", ".mp3")
    (corpus / "clips.csv").write_text(table, "utf-8")
    from espnet_merge.corpora import importing

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(importing, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            run("--split", "train")
    made = {p: p.stat().st_mtime_ns for p in (corpus / "data/local").rglob("*.flac")}
    assert len(made) == len(SPOKEN)
    assert not list((corpus / "data").glob("es_*"))
    run("--split", "train")
    assert {p: p.stat().st_mtime_ns for p in made} == made
    assert set(read_kaldi(corpus / "data/es_train")["wav.scp"].values()) == {
        str(path) for path in made
    }


def test_clips_of_one_name_in_two_folders(corpus):
    for folder in ("x", "y"):
        shutil.copytree("clips", f"{folder}/clips")
    rows = [[f"{folder}/clips/a1.wav", folder, ""] for folder in ("x", "y")]
    write(corpus / "clips.csv", [HEADER, *rows, ["clips/a2.wav", "z", ""]])
    run("--split", "train")
    assert read_kaldi(corpus / "data/es_train")["text"] == {
        "es-a2": "z",
        "es-x-clips-a1.wav": "x",
        "es-y-clips-a1.wav": "y",
    }


def edit(old, new):
    def change(corpus):
        path = corpus / "clips.csv"
        text = path.read_text("utf-8-sig")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")

    return change


def utf_16(corpus):
    path = corpus / "clips.csv"
    path.write_text(path.read_text("utf-8-sig"), "utf-16")


def latin(corpus):
    path = corpus / "clips.csv"
    path.write_bytes(path.read_text("utf-8-sig").encode("latin-1"))


BAD = {
    "no file": (None, ["--overwrite"], "nowhere.csv: must be a file; it is not there"),
    "UTF-16": (utf_16, [], "clips.csv:1: text must be UTF-8; this is UTF-16"),
    "Latin-1": (latin, [], "clips.csv:3: text must be UTF-8; byte"),
    "open quote": (edit("cinco", '"cinco'), [], "clips.csv: must be CSV;"),
    "no column": (
        edit("text", "sentence"),
        [],
        "must have a column 'text'; it has audio, sentence, speaker, split, duration: "
        "name the right one by --text-column",
    ),
    "columns alike": (edit("speaker", "text"), [], "'text' is there twice"),
    "named column": (None, ["--speaker-column", "who"], "must have a column 'who'"),
    "no recordings": (
        None,
        ["--audio-root", "/nowhere"],
        "none of 6 is, as /nowhere/clips/",
    ),
    "unknown language": (
        None,
        ["--lang", "klingon"],
        "lang must be a language that the model knows",
    ),
    "unknown split": (None, ["--split", "trian"], "own; got 'trian'"),
    "share of zero": (None, ["--split", "train=1", "test=0"], "got 'test=0'"),
    "no share": (None, ["--split", "train=1", "test"], "got 'test'"),
    "disjoint of one": (
        None,
        ["--split", "test", "--disjoint", "speaker"],
        "disjoint needs shares of at least two splits",
    ),
    "too few speakers": (
        edit("bea", "ana"),
        ["--disjoint", "speaker", "sentence", "--split", "train=1", "valid=1"],
        None,
    ),
    "one speaker": (
        lambda corpus: [edit(name, "ana")(corpus) for name in ("bea", "cid", "dan")],
        ["--disjoint", "speaker"],
        "must not share a recording or a speaker; es has fewer groups of rows that do "
        "not: 1",
    ),
    "speaker unknown": (
        edit("ana", ""),
        ["--disjoint", "speaker"],
        "clips.csv:2: every utterance must have its speaker",
    ),
    "speakers alike": (
        lambda corpus: [edit("bea", "a-b")(corpus), edit("cid", "a b")(corpus)],
        [],
        "'a b' is 'a-b' of clips.csv:4 otherwise",
    ),
    "empty": (
        lambda corpus: (corpus / "clips.csv").write_text(""),
        [],
        "clips.csv: must have rows; it has none",
    ),
    "no text": (
        lambda corpus: write(corpus / "clips.csv", [HEADER, ["clips/a1.wav", "", ""]]),
        [],
        "must have usable rows; it has none (1 no text)",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_refused_in_one_line_and_nothing_is_left(corpus, capsys, kind):
    prepare, words, message = BAD[kind]
    if prepare:
        prepare(corpus)
    if message is None:
        run(*words)
        return
    source = "nowhere.csv" if kind == "no file" else "clips.csv"
    before = sorted(corpus.rglob("*"))
    with pytest.raises(SystemExit) as stop:
        run(*words, source=source)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert [p for p in sorted(corpus.rglob("*")) if p not in before] == []


TEXT = st.text(min_size=1, max_size=20)
ROWS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=ROWS, crlf=st.booleans(), mark=st.booleans(), quote=st.booleans())
def test_any_text_of_a_csv_comes_through(corpus, rows, crlf, mark, quote):
    """What is said is what Python's csv wrote, with single spaces, in NFC."""
    rows = [
        (who.replace("\0", ""), text.replace("\0", ""))
        for who, text in rows
        if "\0" not in text and any(letter.isalnum() for letter in text)
    ] or [("ana", "hola")]
    shutil.rmtree(corpus / "data", ignore_errors=True)
    with (corpus / "clips.csv").open(
        "w", encoding="utf-8-sig" if mark else "utf-8", newline=""
    ) as file:
        writer = csv.writer(
            file,
            lineterminator="\r\n" if crlf else "\n",
            quoting=csv.QUOTE_ALL if quote else csv.QUOTE_MINIMAL,
        )
        writer.writerow(["id", "audio", "text", "nota"])
        for number, (note, text) in enumerate(rows):
            writer.writerow([f"{number:02}", "clips/a1.wav", text, note])
    run("--split", "train")
    tables = read_kaldi(corpus / "data" / "es_train")
    assert [*tables["text"].values()] == [clean(text) for _, text in rows]
    assert all(re.fullmatch(r"es-\d\d", name) for name in tables["text"])


def test_ids_of_two_files_are_not_one(corpus, capsys):
    """With shares, their rows may go to one set or to several."""
    header = ["id", *HEADER]
    good = [["0", "clips/a1.wav", "uno", "ana"], ["1", "clips/a2.wav", "dos", "ana"]]
    again = [["0", "clips/b1.wav", "tres", "ana"], ["2", "clips/b2.wav", "seis", "ana"]]
    write(corpus / "train.csv", [header, *good])
    write(corpus / "test.csv", [header, *again])
    words = ["import", "train.csv", "test.csv", "--from", "csv", "--lang", "es"]
    for shares in (["train"], ["train=0.5", "test=0.5"]):
        with pytest.raises(SystemExit):
            main([*words, "--split", *shares])
        assert "es-ana-0 is another one in train.csv:2" in capsys.readouterr().err
    main([*words, "--split", "own"])
    assert [
        [*read_kaldi(corpus / "data" / f"es_{split}")["text"]]
        for split in ("train", "test")
    ] == [["es-ana-0", "es-ana-1"], ["es-ana-0", "es-ana-2"]]


def test_row_of_two_files_is_in_one_split(corpus, capsys):
    rows = [[f"clips/{name}.wav", "hola", "ana"] for name in SPOKEN]
    write(corpus / "train.csv", [HEADER, *rows])
    write(corpus / "test.csv", [HEADER, rows[0]])
    words = ["--split", "train=0.5", "test=0.5"]
    main(["import", "train.csv", "test.csv", "--from", "csv", "--lang", "es", *words])
    assert "listed twice                1   test.csv:2" in capsys.readouterr().out
    sets = [read_kaldi(corpus / "data" / f"es_{s}")["text"] for s in ("train", "test")]
    assert [len(own) for own in sets] == [3, 3]
    assert not sets[0].keys() & sets[1].keys()


def test_tabs_in_a_tsv_are_columns_too_many(corpus, capsys):
    lines = ["audio\ttext", "clips/a1.wav\tuno\tdos", 'clips/a2.wav\t"tres']
    (corpus / "clips.tsv").write_text("\r\n".join(lines) + "\r\n")
    run("--split", "train", form="tsv", source="clips.tsv")
    assert read_kaldi(corpus / "data/es_train")["text"] == {"es-a2": '"tres'}
    assert "number of columns           1   clips.tsv:2" in capsys.readouterr().out


def test_texts_that_no_file_can_hold_are_dropped(corpus, capsys):
    lines = [r'{"audio": "clips/a1.wav", "text": "uno"}']
    lines += [r'{"audio": "clips/a2.wav", "text": "\ud800"}']
    lines += [r'{"audio": "clips/b1.wav", "text": "a\u0000b"}']
    lines += [r'{"audio": "clips/b2.wav", "text": ["a", "b"]}']
    lines += [r'{"audio": "clips/c1.wav", "text": "dos", "end": "soon"}']
    lines += [r'{"audio": "clips/c1.wav", "text": "dos", "start": 0.3, "end": 0.2}']
    (corpus / "clips.jsonl").write_text("\n".join(lines))
    run("--split", "train", form="jsonl", source="clips.jsonl")
    assert read_kaldi(corpus / "data/es_train")["text"] == {"es-a1": "uno"}
    printed = re.findall(r"^  (\D+?) +(\d) ", capsys.readouterr().out, re.MULTILINE)
    assert printed == [
        ("end is no number of seconds", "1"),
        ("ends before it starts", "1"),
        ("text is no text", "3"),
    ]


def test_shares_that_are_not_met_are_told(corpus, capsys):
    """Nine of ten utterances are of one speaker."""
    spoken = [*(["ana"] * 18), "bea", "cid"]
    rows = [[f"clips/{n}.wav", f"frase {n}", who] for n, who in enumerate(spoken)]
    for path, _, _ in rows:
        shutil.copy("clips/a1.wav", path)
    write(corpus / "clips.csv", [HEADER, *rows])
    run("--disjoint", "speaker", "--split", "train=0.4", "valid=0.3", "test=0.3")
    errors = capsys.readouterr().err.splitlines()
    told = [line.partition("warning: ")[2] for line in errors if "warning" in line]
    assert told == [
        f"es_{split} has {found} of the utterances, not {share}: many of them share a "
        "recording or a speaker, and stay together."
        for split, found, share in (
            ("train", "90%", "40%"),
            ("valid", "5%", "30%"),
            ("test", "5%", "30%"),
        )
    ]


def test_language_that_a_model_was_taught(corpus):
    """Whisper does not know Kabyle; a model of the user's does."""
    (corpus / "model").mkdir()
    tokens = {"lang_to_id": {"<|kab|>": 7, "<|es|>": 8}, "is_multilingual": True}
    (corpus / "model" / "generation_config.json").write_text(json.dumps(tokens))
    run("--split", "train", "--lang", "kab", "--model", "model")
    assert len(read_kaldi(corpus / "data/kab_train")["text"]) == len(SPOKEN)
