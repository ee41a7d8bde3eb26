import pytest

from espnet_merge.__main__ import main
from espnet_merge.data.table import read_table, write_table
from espnet_merge.data.validate import validate
from espnet_merge.errors import InputError
from tests.data.recorded import write_recordings
from tests.speech import write_data


def change(table, **values):
    def damage(data):
        write_table(data / table, read_table(data / table) | values)

    return damage


def test_what_works_is_not_refused(tmp_path):
    recordings = write_recordings(tmp_path / "data")
    change("wav.scp", pipe="A=1 sh -c 'exit 1' | ( cat ) |")(recordings)
    change("wav.scp", file="cd / && cat x.wav |")(recordings)
    files = write_data(tmp_path / "files", languages=("it",))
    change("utt2lang", **{"it-000": "ita", "it-001": "Italian"})(files)
    change("text", **{"it-000": ""})(files)
    main(["validate", "--data", str(recordings), str(files)])


def utf_16(data):
    (data / "text").write_text((data / "text").read_text(), "utf-16")


def empty(data):
    for table in ("wav.scp", "text", "utt2spk", "utt2lang", "utt2task"):
        (data / table).write_text("")


def drop_text(data):
    lines = (data / "text").read_text().splitlines(keepends=True)
    (data / "text").write_text("".join(lines[1:]))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change("utt2lang", **{"es-001": "tlh"}), "es-001: must be a language that"),
        (change("utt2task", **{"es-001": "sing"}), "es-001: must be transcribe or"),
        (change("wav.scp", **{"es-001": "no-such-program -c 1 a.sph |"}),
         "wav.scp: a command must be there to run; no-such-program is not: install it"),
        (change("wav.scp", **{"es-001": "/x/raw.ark:137"}), "an archive is not read"),
        (change("wav.scp", **{"es-001": "/x/a.wav"}), "1 are not, as /x/a.wav"),
        (change("text", **{"es-999": "x"}), "must list utterances with audio alone"),
        (drop_text, "text: must have a line for each utterance; lacks 1"),
        (utf_16, "text: text must be UTF-8; this is UTF-16"),
        (empty, "wav.scp: at least one utterance is needed; the file is empty"),
        (lambda data: (data / "utt2lang").unlink(), "has no utt2lang"),
    ],
)  # fmt: skip
def test_what_does_not_work_is_refused_in_one_line(tmp_path, capsys, damage, message):
    data = write_data(tmp_path / "data", count=2)
    validate([data])
    damage(data)
    with pytest.raises(SystemExit) as caught:
        main(["validate", "--data", str(data)])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


def test_names_that_two_sets_share(tmp_path):
    """Kaldi's combine_data.sh would drop one of the two and not say so."""
    one, other = (write_data(tmp_path / name, count=2) for name in ("a", "b"))
    with pytest.raises(InputError, match=r"b: utterances .* es-000 is in .*/a, too"):
        validate([one, other])


def test_speakers_that_kaldi_would_sort_otherwise(tmp_path):
    one = write_data(tmp_path / "one", languages=("es",))
    two = write_data(tmp_path / "two", languages=("es_tv",))
    validate([one, two])
    change("utt2spk", **{"es_tv-000": "ana", "es_tv-001": "ana"})(two)
    validate([two])
    with pytest.raises(
        InputError, match=r"es-000 and es_tv-000 \(speakers es and ana\)"
    ):
        validate([one, two])
