"""egs2/mls_fleurs on corpora of a few clips in the layouts of MLS and FLEURS."""

import re
import shutil

import pytest
import soundfile
from huggingface_hub import constants

from espnet_merge.data.kaldi import read_kaldi
from tests.recipes import corpora
from tests.recipes.tree import ROOT, Tree
from tests.whisper.hub_server import serving, take_for_the_hub


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path, "mls_fleurs")


@pytest.fixture
def places(tmp_path):
    corpora.mls(tmp_path / "given" / "mls")
    corpora.fleurs(tmp_path / "given" / "fleurs")
    return {name: tmp_path / "given" / name for name in ("mls", "fleurs")}


def data(tree, places, **options):
    defaults = {
        "mls_langs": ["pl"],
        "fleurs_langs": ["da"],
        "mls_train": "10h",
        "mls_audio": "opus",
        "fleurs_text": "transcription",
        "downloads": "downloads",
        "nj": 2,
    }
    return tree.prepare("mls_fleurs", **{**defaults, **places, **options})


def test_sets_of_both_corpora(tree, places):
    before = sorted(places["mls"].parent.rglob("*"))
    done = data(tree, places)
    assert done.returncode == 0, done.stderr
    assert "data: pl: train 3, valid 1, test 2 utterances" in done.stderr
    assert "data: da: train 2, valid 1, test 1 utterances; dropped: 1 no text" in (
        done.stderr
    )
    polish = read_kaldi(tree.data / "pl_train")
    assert polish["text"] == {
        "pl-12-7-000001": "jeden dwa",
        "pl-12-7-000002": "trzy",
        "pl-120-8-000001": "cztery pięć",
    }
    assert list(polish["utt2spk"].values()) == ["pl-12", "pl-12", "pl-120"]
    danish = read_kaldi(tree.data / "da_train")
    assert danish["text"] == {"da-1001": "én to", "da-1002": 'tre "fire'}
    for language, tables in (("pl", polish), ("da", danish)):
        assert set(tables["utt2lang"].values()) == {language}
        assert set(tables["utt2task"].values()) == {"transcribe"}
        for audio in tables["wav.scp"].values():
            samples, rate = soundfile.read(tree.recipe / audio)
            assert (samples.shape, rate) == ((4800,), 16_000)
    # A directory of the user's is only read.
    assert sorted(places["mls"].parent.rglob("*")) == before


def test_second_run_does_nothing(tree, places):
    assert data(tree, places).returncode == 0
    before = tree.files()
    again = data(tree, dict.fromkeys(places, "/none"))
    assert again.returncode == 0
    assert again.stderr.splitlines() == [
        "data: pl is there already",
        "data: da is there already",
    ]
    assert tree.files() == before


def test_unpacked_corpora_are_read_where_they_are(tree, places):
    for archive in places["mls"].glob("*.tar.gz"):
        corpora.unpack(archive, archive.parent)
        archive.unlink()
    for archive in places["fleurs"].glob("da_dk/audio/*.tar.gz"):
        corpora.unpack(archive, archive.parent)
        archive.unlink()
    assert data(tree, places).returncode == 0
    assert not (tree.recipe / "downloads").exists()
    # It is at 16 kHz already.
    for audio in read_kaldi(tree.data / "da_test")["wav.scp"].values():
        assert audio.startswith(str(places["fleurs"]))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"mls_train": "all"}, {"pl-9-3-000004": "nie w dziesięciu godzinach"}),
        ({"mls_train": "1h"}, {"pl-12-7-000002": "trzy"}),
    ],
)
def test_amount_of_training_data(tree, places, options, text):
    done = data(tree, places, fleurs_langs=[], **options)
    assert done.returncode == 0, done.stderr
    table = read_kaldi(tree.data / "pl_train")["text"]
    assert len(table) == {"all": 4, "1h": 2}[options["mls_train"]]
    assert text.items() <= table.items()
    assert not (tree.data / "da_train").exists()


def test_flac_and_raw_texts(tree, places):
    corpora.mls(places["mls"], audio="flac")
    done = data(tree, places, mls_audio="flac", fleurs_text="raw_transcription")
    assert done.returncode == 0, done.stderr
    assert not (tree.data / "local").exists()
    texts = read_kaldi(tree.data / "da_train")["text"]
    assert texts == {"da-1001": "Én, to.", "da-1002": 'Tre "fire"'}


def test_fleurs_from_a_hub(tree, places, tmp_path, monkeypatch):
    """At one commit; a download that broke off is taken up where it was."""
    commit = re.search(
        'COMMIT = "([0-9a-f]{40})"', (ROOT / "local/corpora/fleurs.py").read_text()
    )[1]
    site = tmp_path / "site" / "datasets" / "google" / f"fleurs@{commit}"
    shutil.copytree(places["fleurs"], site / "data")
    options = {"mls_langs": [], "fleurs": ""}
    with serving(tmp_path / "site") as hub:
        take_for_the_hub(hub, tmp_path / "cache", monkeypatch)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1024)
        hub.cut = 10_000
        first = data(tree, places, **options)
        assert first.returncode == 0, first.stderr
        (asked,) = hub.ranges
        begun = int(asked.removeprefix("bytes=").partition("-")[0])
        assert 8_000 < begun <= 10_000
        shutil.rmtree(tree.data)
    # All that is needed is there: the hub is not asked again.
    again = data(tree, places, **options)
    assert again.returncode == 0, again.stderr
    assert len(read_kaldi(tree.data / "da_train")["text"]) == 2


def test_hub_that_is_not_reached_is_one_line(tree, places, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    template = "http://127.0.0.1:1/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    done = data(tree, places, mls_langs=[], fleurs="")
    assert done.returncode == 2
    (error,) = [s for s in done.stderr.splitlines() if "error: " in s]
    assert "da_dk/train.tsv: must be reachable;" in error


def test_options_of_the_shell_script(tree, places):
    """Commas or spaces; an empty option is none."""
    done = tree.run("local/data.sh", mls_langs="pl,xx", fleurs_langs="da el")
    assert done.returncode == 2
    assert done.stderr == (
        "data.sh: error: --mls_langs must be of de en es fr it nl pl pt; got 'xx'.\n"
    )


def lose_archive(places):
    (places["mls"] / "mls_polish_opus.tar.gz").unlink()


def cut_archive(places):
    corpora.cut(places["mls"] / "mls_polish_opus.tar.gz")


def lose_clip(places):
    archive = places["mls"] / "mls_polish_opus.tar.gz"
    corpora.unpack(archive, places["mls"])
    next(places["mls"].rglob("31_1_000001.opus")).unlink()


def cut_table(places):
    table = places["fleurs"] / "da_dk" / "dev.tsv"
    table.write_text("20\t2001.wav\tFem\n")


@pytest.mark.parametrize(
    ("damage", "options", "message"),
    [
        (
            None,
            {"mls_langs": ["xx"]},
            "--mls_langs must be of de en es fr it nl pl pt;",
        ),
        (None, {"fleurs_langs": ["da", "tlh"]}, "got 'tlh'."),
        (None, {"fleurs_langs": ["pl"]}, "both would be pl_train; got 'pl'."),
        (None, {"nj": "two"}, "argument --nj: invalid int value: 'two'"),
        (None, {"mls_train": "5h"}, "--mls_train must be of 10h 1h all; got '5h'."),
        (
            None,
            {"mls": "/none"},
            "--mls /none: must hold mls_polish_opus.tar.gz, or mls",
        ),
        (
            lose_archive,
            {},
            "must hold mls_polish_opus.tar.gz, or mls_polish_opus of it",
        ),
        (cut_archive, {}, "mls_polish_opus.tar.gz: must be a whole archive; it is not"),
        (lose_clip, {}, "pl: every clip must be there; 1 of 6 are not, as /"),
        (cut_table, {"mls_langs": []}, "dev.tsv:1: must have 7 columns; it has 3"),
    ],
)
def test_refused_in_one_line_and_nothing_is_left(
    tree, places, damage, options, message
):
    if damage:
        damage(places)
    done = data(tree, places, **options)
    assert done.returncode == 2
    (error,) = [s for s in done.stderr.splitlines() if "unpacking" not in s]
    assert message in error
    assert error.startswith("data.sh: error: ")
    assert not list(tree.data.glob("*_*"))
    assert "partial" not in " ".join(tree.files())


def test_recipe_runs_up_to_the_filter(tree, places, micro_whisper):
    """Two languages to stage 1; one, whose clips are converted, to stage 5."""
    options = {"test_sets": "pl_test da_test", "experts": "pl", "ngpu": 0}
    options["data_opts"] = "--mls_langs pl --fleurs_langs da"
    env = {name.upper(): str(place) for name, place in places.items()}
    done = tree.run("run.sh", env=env, stop_stage=1, **options)
    assert done.returncode == 0, done.stderr
    assert "data/da_test: 1 utterances" in done.stderr
    options |= {"test_sets": "pl_test", "joint": "", "base": micro_whisper}
    done = tree.run("run.sh", stage=3, stop_stage=5, **options)
    assert done.returncode == 0, done.stderr
    for name, count in (("pl_train", 3), ("pl_valid", 1), ("pl_test", 2)):
        tables = read_kaldi(tree.recipe / "dump" / "raw" / name)
        assert len(tables["wav.scp"]) == count
        assert set(tables["utt2lang"].values()) == {"pl"}


@pytest.mark.parametrize("script", ["run.sh", "expand.sh"])
def test_languages_are_named_alike(script):
    """Experts, test sets and what is prepared for them."""
    text = (ROOT / "egs2" / "mls_fleurs" / "merge1" / script).read_text("utf-8")
    prepared = re.search('--mls_langs ([a-z,]+) --fleurs_langs ([a-z,]+)"', text)
    named = dict(re.findall('--([a-z_]+) "([^"]+)"', text))
    old, new = (own.split(",") for own in prepared.groups())
    assert named.get("old", named.get("experts")).split() == old
    if script == "expand.sh":
        assert named["new"].split() == new
    else:
        assert named["test_sets"].split() == [f"{code}_test" for code in old + new]
