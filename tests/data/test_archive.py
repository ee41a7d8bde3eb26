import gzip
import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_merge.data.archive import Archive, Corpus, unpack
from espnet_merge.errors import InputError
from tests.recipes.corpora import pack, packed

FILES = {f"top/{n}.txt": bytes([n]) * 3000 for n in range(5)}
ARCHIVE = Archive("sub/corpus.tar.gz", "top")


def contents(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.mark.parametrize("at", ["beside", "within"])
def test_unpacked_by_the_user(tmp_path, at):
    """Beside the archive, or in a folder of its name."""
    folder = tmp_path / "given" / ("sub" if at == "beside" else "sub/corpus") / "top"
    folder.mkdir(parents=True)
    assert (
        Corpus("x", str(tmp_path / "given"), tmp_path / "own").find(ARCHIVE) == folder
    )
    assert not (tmp_path / "own").exists()


def test_archive_of_the_users_is_unpacked_elsewhere_and_once(tmp_path):
    packed = pack(tmp_path / "given" / "sub" / "corpus.tar.gz", FILES)
    corpus = Corpus("x", str(tmp_path / "given"), tmp_path / "own")
    folder = corpus.find(ARCHIVE)
    assert contents(folder.parent) == FILES
    assert contents(tmp_path / "given").keys() == {"sub/corpus.tar.gz"}
    packed.unlink()
    assert corpus.find(ARCHIVE) == folder


def test_archives_in_an_archive(tmp_path):
    inner = {"a/speaker.tar.gz": packed({"one.wav": b"1"}), "a/list": b"2"}
    unpack(pack(tmp_path / "x.tar.gz", inner), tmp_path / "out", "a")
    assert contents(tmp_path / "out") == {"a/one.wav": b"1", "a/list": b"2"}


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_no_part_of_an_archive_is_taken_for_all(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("cut")
    whole = packed(FILES)
    size = data.draw(st.integers(0, len(whole) - 1))
    (folder / "x.tar.gz").write_bytes(whole[:size])
    with pytest.raises(InputError, match=r"must be a whole archive; it is not \("):
        unpack(folder / "x.tar.gz", folder / "out", "top")
    assert [file.name for file in folder.iterdir()] == ["x.tar.gz"]


def evil():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../outside"), io.BytesIO())
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>not found</html>", "must be a whole archive; it is not"),
        (gzip.compress(b"no tar"), "must be a whole archive; it is not"),
        (packed(FILES)[:-9] + b"\0" * 9, "must be a whole archive; it is not"),
        (packed({"other": b""}), "must hold top; it does not: it is another archive"),
        (evil(), "outside"),
    ],
    # By itself an archive would name its test, and it holds the time.
    ids=["page", "no tar", "broken", "another", "evil"],
)
def test_what_is_no_such_archive(tmp_path, content, message):
    (tmp_path / "x.tar.gz").write_bytes(content)
    with pytest.raises(InputError, match=message):
        unpack(tmp_path / "x.tar.gz", tmp_path / "out", "top")
    assert [file.name for file in tmp_path.iterdir()] == ["x.tar.gz"]


def test_directory_without_the_corpus(tmp_path):
    corpus = Corpus("fleurs", str(tmp_path), tmp_path / "own")
    with pytest.raises(InputError, match=f"--fleurs {tmp_path}: must hold sub/corpus"):
        corpus.find(ARCHIVE)
    with pytest.raises(InputError, match=r"must hold da/dev.tsv; it does not: name"):
        corpus.file("da/dev.tsv", "http://127.0.0.1:1")


def test_what_nobody_may_pass_on_must_be_named(tmp_path):
    with pytest.raises(InputError, match="--x: must name a directory with sub/corpus"):
        Corpus("x", "", tmp_path).find(ARCHIVE)
