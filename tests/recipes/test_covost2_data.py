"""egs2/covost2 on corpora of a few clips in the layouts of the four real ones."""

import pytest
import soundfile

from espnet_merge.data.kaldi import read_kaldi
from tests.recipes import corpora
from tests.recipes.tree import Tree

MAKERS = {
    "commonvoice": corpora.common_voice,
    "covost": corpora.covost,
    "librispeech": corpora.librispeech,
    "aishell": corpora.aishell,
}
VARIABLES = {
    "commonvoice": "COMMONVOICE",
    "covost": "COVOST2",
    "librispeech": "LIBRISPEECH",
    "aishell": "AISHELL",
}


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path, "covost2")


@pytest.fixture
def places(tmp_path):
    places = {name: tmp_path / "given" / name for name in MAKERS}
    for name, make in MAKERS.items():
        make(places[name])
    return places


def data(tree, places, **options):
    defaults = {
        "translate": ["fr"],
        "transcribe": ["fr"],
        "asr": ["librispeech", "aishell"],
        "librispeech_train": "train-clean-100",
        "downloads": "downloads",
        "nj": 2,
    }
    return tree.prepare("covost2", **{**defaults, **places, **options})


def test_sets_of_all_corpora(tree, places):
    before = sorted(places["covost"].parent.rglob("*"))
    done = data(tree, places)
    assert done.returncode == 0, done.stderr
    counted = [line for line in done.stderr.splitlines() if "utterances" in line]
    assert counted == [
        "data: fr-en: train 2, valid 1, test 1 utterances; dropped: 1 no text in train",
        "data: fr: train 3, valid 1, test 1 utterances",
        "data: en: train 4, valid 4, test 4 utterances",
        "data: zh: train 2, valid 2, test 2 utterances; dropped: 1 no text in test, "
        "1 no text in train, 1 no text in valid",
    ]
    assert "fr-en: 1 translations are of sentences that" in done.stderr
    assert sorted(places["covost"].parent.rglob("*")) == before
    texts = {
        name: sorted(read_kaldi(tree.data / name)["text"].values())
        for name in ("fr-en_train", "fr_train", "fr-en_test", "en_valid", "zh_train")
    }
    assert texts == {
        "fr-en_train": ['"Two"', "One."],
        "fr_train": ['Deux "2"', "Six", "Un."],
        "fr-en_test": ["Four"],
        "en_valid": ["chapter one", "chapter one", "it's two", "it's two"],
        "zh_train": ["而对楼市train", "而对楼市train"],
    }


def test_tables_of_both_tasks(tree, places):
    assert data(tree, places).returncode == 0
    seen = set()
    for name, language, task in (
        ("fr-en", "fr", "translate"),
        ("fr", "fr", "transcribe"),
        ("en", "en", "transcribe"),
        ("zh", "zh", "transcribe"),
    ):
        for split in ("train", "valid", "test"):
            tables = read_kaldi(tree.data / f"{name}_{split}")
            assert set(tables["utt2lang"].values()) == {language}
            assert set(tables["utt2task"].values()) == {task}
            for utterance, speaker in tables["utt2spk"].items():
                # So that tables sorted by either are sorted by both.
                assert utterance.startswith(f"{speaker}-")
            # All sets are combined for a joint model.
            assert not seen & tables["wav.scp"].keys()
            seen |= tables["wav.scp"].keys()
            for audio in tables["wav.scp"].values():
                samples, rate = soundfile.read(tree.recipe / audio)
                assert rate == 16_000
                assert len(samples) == pytest.approx(4800, abs=20)


def test_both_tasks_share_converted_audio(tree, places):
    assert data(tree, places, asr=[]).returncode == 0
    assert len([*(tree.data / "local" / "fr").iterdir()]) == 5
    own, english = (
        read_kaldi(tree.data / f"{name}_test")["wav.scp"].values()
        for name in ("fr", "fr-en")
    )
    assert [*own] == [*english]
    assert next(iter(own)).startswith("data/local/fr/cv_4-")


def test_second_run_does_nothing(tree, places):
    assert data(tree, places).returncode == 0
    before = tree.files()
    again = data(tree, dict.fromkeys(places, "/none"))
    assert again.returncode == 0
    assert again.stderr.splitlines() == [
        f"data: {name} is there already" for name in ("fr-en", "fr", "en", "zh")
    ]
    assert tree.files() == before


def test_codes_of_common_voice_are_not_whispers(tree, places):
    corpora.covost(places["covost"], "zh-CN")
    corpora.common_voice(places["commonvoice"], "zh-CN")
    done = data(tree, places, translate=["zh"], transcribe=[], asr=[])
    assert done.returncode == 0, done.stderr
    assert set(read_kaldi(tree.data / "zh-en_test")["utt2lang"].values()) == {"zh"}


def lose(corpus, file):
    return lambda places: (places[corpus] / file).unlink()


def cut(corpus, file):
    return lambda places: corpora.cut(places[corpus] / file)


def lose_clip(places):
    corpora.unpack(places["commonvoice"] / "fr.tar.gz", places["commonvoice"] / "fr")
    (places["commonvoice"] / "fr" / "clips" / "cv_3.mp3").unlink()


def lose_spoken(places):
    corpora.aishell(places["aishell"], lost="BAC009S0724W0122")


def other_table(places):
    name = "covost_v2.fr_en.tsv"
    table = {name: b"path\tsplit\ncv_1.mp3\ttrain\n"}
    corpora.pack(places["covost"] / f"{name}.tar.gz", table)


@pytest.mark.parametrize(
    ("damage", "options", "message"),
    [
        (
            None,
            {"translate": ["en"]},
            "--translate must be of ar ca cy de es et fa fr id",
        ),
        (None, {"transcribe": ["xx"]}, "--transcribe must be of ar ca"),
        (
            None,
            {"asr": ["timit"]},
            "--asr must be of librispeech aishell; got 'timit'.",
        ),
        (None, {"librispeech_train": []}, "expected at least one argument"),
        (None, {"librispeech_train": "dev-clean"}, "must be of train-clean-100 train-"),
        (
            None,
            {"transcribe": ["zh"]},
            "--transcribe must not have zh where --asr has ai",
        ),
        (
            None,
            {"commonvoice": ""},
            "--commonvoice: must name a directory with fr.tar.g",
        ),
        (
            None,
            {"covost": "/none"},
            "--covost /none: must hold covost_v2.fr_en.tsv.tar",
        ),
        (
            lose("commonvoice", "fr.tar.gz"),
            {},
            "must hold fr.tar.gz, or validated.tsv of it, there or in fr/",
        ),
        (cut("commonvoice", "fr.tar.gz"), {}, "fr.tar.gz: must be a whole archive; it"),
        (
            cut("aishell", "data_aishell.tgz"),
            {"translate": [], "transcribe": []},
            "must",
        ),
        (lose_clip, {}, "fr-en: every clip must be there; 1 of 4 are not, as /"),
        (
            lose_spoken,
            {"translate": [], "transcribe": []},
            "1 of 6 have none, as BAC009S0724W0122: unpack the corpus again",
        ),
        (other_table, {}, "must have the columns path translation split; it has path"),
    ],
)
def test_refused_in_one_line_and_nothing_is_left(
    tree, places, damage, options, message
):
    if damage:
        damage(places)
    done = data(tree, places, **{"asr": ["aishell"], **options})
    assert done.returncode == 2
    error = done.stderr.splitlines()[-1]
    assert message in error
    assert error.startswith("data.sh: error: ")
    assert done.stderr.count("error") == 1
    assert not list(tree.data.glob("*_*"))
    assert "partial" not in " ".join(tree.files())


def test_recipe_takes_the_sets(tree, places):
    names = ("fr-en", "fr", "en", "zh")
    done = tree.run(
        "run.sh",
        env={VARIABLES[name]: str(place) for name, place in places.items()},
        stop_stage=1,
        experts=" ".join(names),
        test_sets=" ".join(f"{name}_test" for name in names),
        data_opts="--translate fr --transcribe fr --asr librispeech,aishell",
    )
    assert done.returncode == 0, done.stderr
    assert "data/fr-en_train: 2 utterances" in done.stderr
    assert "data/zh_test: 2 utterances" in done.stderr
