import contextlib
import json
import threading
import time

import pytest
import soundfile
from sacrebleu.metrics import BLEU, CHRF

from espnet_merge.__main__ import main
from espnet_merge.disk.atomic import whole_file
from espnet_merge.score import directories

TEXT = "a-1 Él está aquí.\na-2 no\nb-1 uno dos tres cuatro\n"
HEARD = "a-1 él esta aquí\na-2\nb-1 uno dos dos dos dos dos tres\n"


@pytest.fixture
def dirs(tmp_path):
    ref, hyp = tmp_path / "es_test", tmp_path / "hyp"
    ref.mkdir()
    hyp.mkdir()
    (ref / "text").write_text(TEXT, encoding="utf-8")
    (ref / "utt2lang").write_text("a-1 es\na-2 es\nb-1 es\n")
    (ref / "utt2spk").write_text("a-1 ana\na-2 ana\nb-1 bob\n")
    (hyp / "text").write_text(HEARD, encoding="utf-8")
    return ref, hyp


def score(ref, hyp, *options):
    main(["score", "--ref", str(ref), "--hyp", str(hyp), *options])


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_raw_results_for_the_leaderboard(dirs, tmp_path):
    ref, hyp = dirs
    soundfile.write(tmp_path / "a-2.wav", [0.0] * 8000, 16_000)
    (ref / "wav.scp").write_text(f"a-1 None\na-2 {tmp_path}/a-2.wav\nb-1 gone.wav\n")
    score(ref, hyp, "--leaderboard", "my-lab/whisper-es", "--dataset", "a/b_test")
    file = hyp / "MODEL_my-lab-whisper-es_DATASET_a-b_test.jsonl"
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert lines[0] == {
        "audio_filepath": "a-1",
        "duration": None,
        "time": None,
        "text": "Él está aquí.",  # not normalised: the leaderboard does that
        "pred_text": "él esta aquí",
    }
    assert [line["duration"] for line in lines] == [None, 0.5, None]
    assert [line["pred_text"] for line in lines][1] == ""
    assert (hyp / "score.json").is_file()
    score(ref, hyp, "--leaderboard", "me/whisper")
    assert (hyp / "MODEL_me-whisper_DATASET_es_test.jsonl").is_file()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--leaderboard", "whisper"), "--leaderboard must be OWNER/NAME"),
        (("--leaderboard", "a/b", "--hyp", "x", "y"), "got 2 --hyp"),
        (("--dataset", "x"), "--dataset is for --leaderboard"),
    ],
)
def test_what_the_leaderboard_cannot_read(dirs, capsys, words, told):
    with pytest.raises(SystemExit) as ended:
        score(*dirs, *words)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
    assert files(dirs[1]) == ["text"]


def test_languages_heard_and_the_errors_in_each(dirs, capsys):
    ref, hyp = dirs
    heard = {"a-1": "es", "a-2": "it", "b-1": "es"}
    content = {
        "mode": {"language": "auto"},
        "utterances": {name: {"language": code} for name, code in heard.items()},
    }
    (hyp / "text.json").write_text(json.dumps(content))
    score(ref, hyp)
    # "él esta aquí" and five words wrong of "uno dos tres cuatro" are 6 errors in 7.
    assert json.loads((hyp / "score.json").read_text())["identification"] == {
        "es": {
            "es": {"utterances": 2, "errors": 6, "reference": 7, "rate": 600 / 7},
            "it": {"utterances": 1, "errors": 1, "reference": 1, "rate": 100.0},
        }
    }
    assert "es is heard as es 2 (85.7 %), it 1 (100.0 %)" in capsys.readouterr().out
    del content["utterances"]["a-2"]
    (hyp / "text.json").write_text(json.dumps(content))
    with pytest.raises(SystemExit):
        score(ref, hyp)
    assert "must name the language" in capsys.readouterr().err


def test_languages_noted_beside_those_given(dirs):
    """What had no audio was not heard."""
    ref, hyp = dirs
    records = {
        "a-1": {"text": "él", "language": "es", "heard": "es"},
        "a-2": {"text": "no", "language": "es", "heard": "gl"},
        "b-1": {"text": "", "language": "es", "not_decoded": "cut short"},
    }
    content = {"mode": {"language": None, "hear": True}, "utterances": records}
    (hyp / "text.json").write_text(json.dumps(content))
    score(ref, hyp)
    row = json.loads((hyp / "score.json").read_text())["identification"]["es"]
    assert {heard: cell["utterances"] for heard, cell in row.items()} == {
        "es": 1,
        "gl": 1,
        "none": 1,
    }


def test_adapters_chosen_and_the_errors_of_each(dirs, capsys):
    """By hand, as above: what "it" decoded is the one wrong word."""
    ref, hyp = dirs
    chosen = {"a-1": "es", "a-2": "it", "b-1": "es"}
    records = {
        name: {"text": "", "language": "es", "adapter": adapter}
        for name, adapter in chosen.items()
    }
    del records["b-1"]["adapter"]  # it could not be decoded
    content = {"mode": {"language": None}, "utterances": records}
    (hyp / "text.json").write_text(json.dumps(content))
    score(ref, hyp)
    found = json.loads((hyp / "score.json").read_text())
    assert "identification" not in found
    row = found["routes"]["es"]
    assert row["it"] == {"utterances": 1, "errors": 1, "reference": 1, "rate": 100.0}
    assert {name: cell["utterances"] for name, cell in row.items()} == {
        "es": 1,
        "it": 1,
        "none": 1,
    }
    assert "es is decoded by es 1 (" in capsys.readouterr().out


def test_what_was_not_decoded_is_deleted_and_counted(dirs, capsys):
    ref, hyp = dirs
    records = {
        "a-1": {"text": "él esta aquí", "language": "es"},
        "a-2": {"text": "", "not_decoded": "cut short"},
        "b-1": {"text": "", "not_decoded": "cut short"},
    }
    (hyp / "text").write_text("a-1 él está aquí\na-2\nb-1\n", "utf-8")
    (hyp / "text.json").write_text(json.dumps({"mode": {}, "utterances": records}))
    score(ref, hyp)
    saved = json.loads((hyp / "score.json").read_text())
    assert saved["not_decoded"] == {"cut short": 2}
    # "no" and four words of eight are deleted.
    assert saved["metrics"]["wer"]["normalized"]["deletions"] == 5
    assert saved["metrics"]["wer"]["normalized"]["rate"] == 62.5
    out = capsys.readouterr().out
    assert "not decoded, and counted as deleted: 2 cut short" in out


def test_a_language_has_one_rule_however_it_is_named(dirs):
    """By characters where there are no spaces, though utt2lang says Chinese."""
    ref, hyp = dirs
    for named in ("zh", "Chinese", "cmn-Hans-CN"):
        (ref / "utt2lang").write_text(f"a-1 {named}\na-2 {named}\nb-1 {named}\n")
        score(ref, hyp)
        saved = json.loads((hyp / "score.json").read_text())
        assert (saved["main"], saved["languages"]) == ("cer", {"zh": 3})


def test_two_at_one_time_leave_the_tables_of_one_score(dirs, monkeypatch):
    ref, hyp = dirs
    other = threading.Thread(target=score, args=(ref, hyp, "--normalizer", "fold"))

    @contextlib.contextmanager
    def slowly(path):
        monkeypatch.setattr(directories, "whole_file", whole_file)
        other.start()
        time.sleep(0.5)
        with whole_file(path) as part:
            yield part

    monkeypatch.setattr(directories, "whole_file", slowly)
    score(ref, hyp)
    other.join()
    (hyp / "text").unlink()
    assert json.loads((hyp / "score.json").read_text())["normalizer"] == "fold"
    for metric in ("wer", "cer"):
        title = (hyp / f"score_{metric}" / "result.txt").read_text().splitlines()[0]
        assert title.endswith("normalizer fold")
    assert files(hyp) == ["score.json", "score_cer/result.txt", "score_wer/result.txt"]


def test_writes_scores_and_espnet_tables(dirs, capsys):
    ref, hyp = dirs
    mode = {"pad_to": 30, "beam": 1}
    (hyp / "text.json").write_text(json.dumps({"mode": mode, "utterances": {}}))
    score(ref, hyp)
    assert files(hyp) == [
        "score.json",
        "score_cer/result.txt",
        "score_wer/result.txt",
        "text",
        "text.json",
    ]
    saved = json.loads((hyp / "score.json").read_text())
    assert saved["mode"] == mode
    assert saved["metrics"]["wer"]["normalized"]["rate"] == 87.5
    printed = capsys.readouterr().out
    assert "wer    basic        87.50      3       8      5      1      2      4" in (
        printed
    )
    assert "1 with loops" in printed
    table = (hyp / "score_wer" / "result.txt").read_text().splitlines()
    assert "normalizer basic" in table[0]
    # What ESPnet's show_asr_result.sh makes of the file.
    (total,) = [line for line in table if "Avg" in line]
    cells = total.replace("Sum/Avg", "").replace("|", " ").split()
    assert cells == ["3", "8", "62.5", "12.5", "25.0", "50.0", "87.5", "100.0"]
    start = table.index("id: (b-1)  speaker: bob")
    assert table[start + 1 : start + 5] == [
        "Scores: (#C #S #D #I) 3 0 1 4",
        "REF:  uno dos *   *   *   *   tres cuatro",
        "HYP:  uno dos dos dos dos dos tres *",
        "Eval:         I   I   I   I        D",
    ]


def test_metrics_normalizer_and_baseline(dirs, capsys):
    ref, hyp = dirs
    better = hyp.with_name("better")
    better.mkdir()
    (better / "text").write_text(TEXT, encoding="utf-8")
    score(ref, better, "--metric", "wer", "bleu", "--normalizer", "fold",
          "--baseline", str(hyp))  # fmt: skip
    saved = json.loads((better / "score.json").read_text())
    assert list(saved["metrics"]) == ["wer", "bleu"]
    assert saved["metrics"]["wer"]["normalized"]["rate"] == 0
    assert saved["baseline"]["metrics"]["wer"]["normalized"]["rate"] == 75
    assert "-75.00" in capsys.readouterr().out
    assert files(hyp) == ["text"]


def test_a_metric_named_twice_is_measured_once(dirs):
    ref, hyp = dirs
    score(ref, hyp, "--metric", "wer", "wer")
    table = (hyp / "score_wer" / "result.txt").read_text().splitlines()
    assert [line for line in table if line.startswith("id: ")] == [
        "id: (a-1)  speaker: ana",
        "id: (a-2)  speaker: ana",
        "id: (b-1)  speaker: bob",
    ]


def translate(ref):
    (ref / "utt2task").write_text("a-1 translate\na-2 translate\nb-1 translate\n")


def test_translations_are_scored_by_bleu_with_its_signature(dirs, capsys):
    ref, hyp = dirs
    translate(ref)
    score(ref, hyp)
    saved = json.loads((hyp / "score.json").read_text())
    assert (saved["languages"], saved["tasks"]) == ({"en": 3}, {"translate": 3})
    assert saved["main"] == "bleu"
    assert list(saved["metrics"]) == ["bleu", "chrf", "wer", "cer"]
    said, heard = (
        [line.partition(" ")[2] for line in text.splitlines()] for text in (TEXT, HEARD)
    )
    printed = capsys.readouterr().out
    for metric, scorer in (("bleu", BLEU(force=True)), ("chrf", CHRF())):
        raw = saved["metrics"][metric]["raw"]
        assert raw["score"] == scorer.corpus_score(heard, [said]).score
        assert raw["signature"] == str(scorer.get_signature())
        assert f"   {raw['signature']}\n" in printed
    # Their words are aligned all the same, to see which texts differ.
    assert "id: (b-1)" in (hyp / "score_wer" / "result.txt").read_text()


def test_a_set_of_both_tasks_has_error_rates_first(dirs):
    ref, hyp = dirs
    (ref / "utt2task").write_text("a-1 translate\na-2 transcribe\nb-1 transcribe\n")
    score(ref, hyp)
    saved = json.loads((hyp / "score.json").read_text())
    assert (saved["main"], "bleu" in saved["metrics"]) == ("wer", True)


def test_asked_for_metrics_are_all_that_is_measured_of_translations(dirs):
    ref, hyp = dirs
    translate(ref)
    score(ref, hyp, "--metric", "chrf")
    assert list(json.loads((hyp / "score.json").read_text())["metrics"]) == ["chrf"]
    assert not (hyp / "score_wer").exists()


def keep(ref, hyp, capsys, *options):
    """Score what is not current; return whether the score was left alone."""
    before = (hyp / "score.json").stat().st_mtime_ns
    capsys.readouterr()
    score(ref, hyp, *options, "--keep-current")
    kept = "1 of 1 directories have this score already" in capsys.readouterr().out
    assert kept == ((hyp / "score.json").stat().st_mtime_ns == before)
    return kept


def change_score(hyp, **facts):
    saved = json.loads((hyp / "score.json").read_text())
    (hyp / "score.json").write_text(json.dumps(saved | facts))


@pytest.mark.parametrize(
    "change",
    [
        lambda ref, hyp: (hyp / "text").write_text("a-1 no\na-2 no\nb-1 no\n"),
        lambda ref, hyp: (hyp / "text.json").write_text('{"mode": {"beam": 5}}'),
        lambda ref, hyp: (ref / "text").write_text("a-1 no\na-2 no\nb-1 no\n"),
        lambda ref, hyp: (ref / "utt2lang").write_text("a-1 es\na-2 es\nb-1 it\n"),
        lambda ref, hyp: (ref / "utt2spk").unlink(),
        lambda ref, hyp: translate(ref),
        lambda ref, hyp: change_score(hyp, rules_digest="of an older table"),
        lambda ref, hyp: change_score(hyp, reference="elsewhere"),
        lambda ref, hyp: change_score(hyp, baseline={}),
        lambda ref, hyp: (hyp / "score.json").write_text("{"),
        lambda ref, hyp: (hyp / "score.json").write_text("[]"),
        lambda ref, hyp: (hyp / "score_cer" / "result.txt").unlink(),
    ],
)
def test_only_a_score_of_the_same_texts_by_the_same_rules_is_kept(dirs, change, capsys):
    ref, hyp = dirs
    score(ref, hyp)
    assert keep(ref, hyp, capsys)
    change(ref, hyp)
    assert not keep(ref, hyp, capsys)
    assert keep(ref, hyp, capsys)


@pytest.mark.parametrize("options", ["--normalizer fold", "--metric wer"])
def test_a_score_by_another_normalizer_or_metric_is_not_kept(dirs, options, capsys):
    ref, hyp = dirs
    score(ref, hyp)
    assert not keep(ref, hyp, capsys, *options.split())
    assert keep(ref, hyp, capsys, *options.split())


def test_a_difference_is_always_made_anew(dirs, capsys):
    ref, hyp = dirs
    score(ref, hyp)
    assert not keep(ref, hyp, capsys, "--baseline", str(hyp))


def spoil(name, content):
    def change(ref, hyp):
        folder, file = name.split("/")
        path = {"ref": ref, "hyp": hyp}[folder] / file
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (spoil("hyp/text", None), "hyp/text: a readable file is needed"),
        (spoil("ref/text", None), "es_test/text: a readable file is needed"),
        (spoil("ref/utt2lang", None), "utt2lang: a readable file is needed"),
        (spoil("hyp/text", b"a-1 x\n"), "lacks 2 (a-2, b-1)"),
        (spoil("hyp/text", b"a-1\na-2\nb-1\nz\n"), "has 1 (z)"),
        (spoil("hyp/text", b"a-1 x\na-1 y\n"), "text:2: ids must be unique; a-1"),
        (spoil("hyp/text", b"a-1 x\na-2 \xff\n"), "text:2: text must be UTF-8; byte 4"),
        (spoil("hyp/text", b"a-1 x\n\n"), "text:2: a line begins with an id"),
        (spoil("ref/utt2lang", b"a-1 es\n"), "utt2lang: must have every id"),
        (
            spoil("hyp/text.json", b"{"),
            "text.json: must be JSON, as",
        ),
        (spoil("hyp/text.json", b"[]"), "text.json: must hold a JSON object 'mode'"),
        (spoil("hyp/text.json", b'{"mode": 1}'), "must hold a JSON object 'mode', as"),
        (spoil("ref/text", b"a-1 .\na-2 .\nb-1 .\n"), "all 3 are empty"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(dirs, change, message, capsys):
    ref, hyp = dirs
    change(ref, hyp)
    before = files(hyp)
    with pytest.raises(SystemExit) as stop:
        score(ref, hyp)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert files(hyp) == before


def test_one_bad_directory_of_two_writes_nothing(dirs):
    ref, hyp = dirs
    with pytest.raises(SystemExit):
        score(ref, hyp, str(hyp / "absent"))
    assert files(hyp) == ["text"]
