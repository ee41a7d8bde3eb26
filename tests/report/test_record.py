import io
import json
import re
from base64 import b64decode

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from espnet_merge.errors import InputError
from espnet_merge.report.examples import align_hypotheses, embed
from espnet_merge.report.page import dump
from tests.report.spoken import (
    HYPOTHESES,
    NASTY,
    REFERENCES,
    write_report,
    write_spoken,
)


@pytest.fixture(scope="module")
def exp(tmp_path_factory):
    return write_spoken(tmp_path_factory.mktemp("spoken"))


@pytest.fixture(scope="module")
def text(exp):
    return write_report(exp, exp).read_text("utf-8")


@pytest.fixture(scope="module")
def data(text):
    return data_of(text)


def data_of(text):
    (found,) = re.findall(r'<script id="data"[^>]*>(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


def edits(data, name, system, reading="normalized"):
    listed = data["modes"][0]["utterances"][f"{name[:2]}_test"]
    (utterance,) = [u for u in listed if u["name"] == name]
    return utterance["edits"][reading][system]


def test_rates_are_those_of_results_json(data, exp):
    results = json.loads((exp / "results.json").read_text("utf-8"))["greedy"]
    mode = data["modes"][0]
    for reading, name in (("normalized", "rates"), ("raw", "raw")):
        rows = mode["rates"]["error rate"][reading]
        for system, row in rows.items():
            cells = dict(zip(mode["columns"], row, strict=True))
            assert cells == results[name][system]
    assert set(mode["rates"]) == {"error rate", "WER", "CER"}
    assert (mode["normalizer"], mode["how"]) == (
        "basic",
        "true length, greedy, language given",
    )


def test_edits_worked_out_by_hand(data):
    assert edits(data, "es-1", "zero_shot") == [["hola", "ola"], "mundo"]
    assert edits(data, "es-1", "full_es") == ["hola mundo"]
    assert edits(data, "es-1", "ta_03", "raw") == [
        ["Hola,", "hola"],
        ["mundo.", "mundos"],
    ]
    assert edits(data, "es-2", "full_es") == ["uno", ["dos", None], "tres"]
    assert edits(data, "es-4", "zero_shot") == [["sin", None], ["audio", None]]
    # Chinese by character, and without spaces when put together.
    assert edits(data, "zh-1", "zero_shot") == ["你", ["好", "坏"], "世", ["界", None]]
    assert edits(data, "zh-1", "full_es") == ["你好世界"]


def test_edits_have_the_errors_that_were_scored(data, exp):
    for name in REFERENCES:
        metric = "cer" if name == "zh_test" else "wer"
        for system in HYPOTHESES:
            path = exp / system / "inference_greedy" / name / "score.json"
            counts = json.loads(path.read_text())["metrics"][metric]
            for reading in ("raw", "normalized"):
                found = [edits(data, u, system, reading) for u in REFERENCES[name]]
                wrong = sum(isinstance(part, list) for e in found for part in e)
                scored = counts[reading]
                kinds = ("substitutions", "deletions", "insertions")
                assert wrong == sum(scored[kind] for kind in kinds)


def test_worst_first_and_no_more_than_wanted(exp, tmp_path):
    # Errors of all systems: es-2 has 2 + 1 + 1 + 2 + 1, es-1 1 + 0 + 1 + 1 + 0.
    for limit, expected in (("2", ["es-2", "es-1"]), ("0", [])):
        page = write_report(exp, tmp_path / limit, "--utterances", limit)
        listed = data_of(page.read_text("utf-8"))["modes"][0]["utterances"]["es_test"]
        assert [utterance["name"] for utterance in listed] == expected


def test_utterances_that_are_gone_since_they_were_scored(exp):
    folders = {"full_es": exp / "full_es" / "inference_greedy" / "es_test"}
    reference = exp.parent / "data" / "es_test"
    with pytest.raises(InputError, match=r"es_test: .* lacks 1 \(es-9\): score again"):
        align_hypotheses(reference, folders, "basic", "wer", ["es-1", "es-9"])


def test_nothing_users_wrote_is_markup(text, data):
    assert NASTY not in text
    assert edits(data, "es-3", "full_es", "raw") == [NASTY]


def test_audio_is_what_was_in_the_file_at_16_khz(data):
    clips = data["clips"]["es_test"]
    assert set(clips) == {"es-1", "es-2", "es-3"}
    head, _, content = clips["es-1"].partition(",")
    assert head == "data:audio/flac;base64"
    samples, rate = soundfile.read(io.BytesIO(b64decode(content)))
    assert (rate, len(samples)) == (16_000, 8_000)
    assert abs(samples[2000:6000]).max() == pytest.approx(0.2, abs=0.01)


def test_audio_stops_at_the_size_and_takes_sets_in_turn(exp):
    folders = {
        exp.parent / "data" / name: list(texts) for name, texts in REFERENCES.items()
    }
    clips = embed(folders, 1.0)
    sizes = [len(clip) for clip in clips.values()]
    order = [name for _, name in clips]
    assert order == ["es-1", "ar-1", "zh-1", "es-2", "es-3"]
    assert list(embed(folders, sum(sizes[:2]) / 1e6)) == list(clips)[:2]
    assert embed(folders, 0.0) == {}


def test_recordings_longer_than_whispers_window_are_left_out(tmp_path):
    soundfile.write(tmp_path / "long.wav", [0.0] * 30 * 8000 + [0.0] * 80, 8000)
    soundfile.write(tmp_path / "short.wav", [0.0] * 800, 8000)
    (tmp_path / "wav.scp").write_text(
        f"a {tmp_path}/long.wav\nb {tmp_path}/short.wav\nc sox in.wav -t wav - |\n"
    )
    clips = embed({tmp_path: ["a", "b", "c", "unknown"]}, 1.0)
    assert list(clips) == [(tmp_path, "b")]


def test_audio_that_is_none_is_named(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"no sound")
    (tmp_path / "wav.scp").write_text(f"a {tmp_path}/a.wav\n")
    with pytest.raises(InputError, match=r"a\.wav: must be audio"):
        embed({tmp_path: ["a"]}, 1.0)


def test_where_it_comes_from(data, exp):
    assert data["title"] == "/".join(exp.parts[-3:])
    facts = dict(data["origin"])
    assert facts["espnet version"].startswith("2026")
    assert facts["command"].startswith("espnet-merge report --expdir")
    assert {"date", "Git hash", "base model"} <= facts.keys()
    systems = {system["name"]: system for system in data["systems"]}
    assert systems["ta_03"]["files"] == ["ta_03/model/merge.yaml"]
    assert "scale: 0.3" in systems["ta_03"]["merge"]
    assert systems["full_es"]["merge"] is None
    assert systems["full_es"]["sha256"] == "5a" * 32


def test_merges_along_one_parameter(data):
    assert data["curves"] == [
        {
            "method": "task_arithmetic",
            "parameter": "scale",
            "points": [["ta_03", 0.3], ["ta_05", 0.5], ["ta_1", 1.0]],
        }
    ]


def test_sets_without_texts_have_no_utterances(exp, tmp_path):
    (exp.parent / "data").rename(exp.parent / "moved")
    try:
        page = write_report(exp, tmp_path)
    finally:
        (exp.parent / "moved").rename(exp.parent / "data")
    data = data_of(page.read_text("utf-8"))
    assert data["modes"][0]["utterances"] == data["clips"] == {}


def test_an_inspection_is_found_or_named(exp, tmp_path, data):
    assert data["inspect"] is None
    assert data["conflicts"] == {}
    folder = exp / "inspect"
    folder.mkdir()
    (folder / "inspect.html").write_text("<h1>Experts</h1>")
    found = write_report(exp, tmp_path / "found")
    elsewhere = folder.rename(tmp_path / "elsewhere")
    named = write_report(exp, tmp_path / "named", "--inspect", str(elsewhere))
    for page in (found, named):
        assert data_of(page.read_text("utf-8"))["inspect"] == "<h1>Experts</h1>"
    with pytest.raises(SystemExit):
        write_report(exp, tmp_path / "none", "--inspect", str(tmp_path))
    assert not (tmp_path / "none").exists()


@given(st.text())
def test_any_text_stands_in_a_script_element(text):
    written = dump({"text": text.encode("utf-8", "replace").decode()})
    assert "<" not in written
    assert json.loads(written)["text"] == text.encode("utf-8", "replace").decode()
