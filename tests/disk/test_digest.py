import hashlib
import os
import time

import pytest

from espnet_merge.disk import digest


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("ESPNET_MERGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(digest, "FRESH", -(10**12))
    path = tmp_path / "model.safetensors"
    path.write_bytes(bytes(digest.SMALL))
    return path


def hash_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_is_read_once(file, monkeypatch):
    assert digest.sha256(file) == hash_of(file)
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert digest.sha256(file) == hash_of(file)


def test_a_change_is_seen_even_if_size_and_time_are_the_old_ones(file):
    before, times = digest.sha256(file), file.stat()
    file.write_bytes(b"x" + bytes(digest.SMALL - 1))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert digest.sha256(file) == hash_of(file) != before


def test_another_file_of_the_same_name_is_another(file, tmp_path):
    digest.sha256(file)
    other = tmp_path / "other"
    other.write_bytes(b"y" * digest.SMALL)
    other.rename(file)
    assert digest.sha256(file) == hash_of(file)


def test_what_was_just_written_is_not_remembered(file, tmp_path, monkeypatch):
    monkeypatch.setattr(digest, "FRESH", 2 * 10**9)
    os.utime(file, (time.time(), time.time()))
    assert digest.sha256(file) == hash_of(file)
    assert not (tmp_path / "cache").exists()


def test_many_files_are_read_once_and_again_where_one_has_changed(
    tmp_path, monkeypatch, file
):
    files = [tmp_path / name for name in ("a.wav", "b.wav")]
    for path in files:
        path.write_bytes(path.name.encode())
    first = digest.sha256_of_all([*files, file])
    parts = "\n".join(map(hash_of, [*files, file]))
    assert first == hashlib.sha256(parts.encode()).hexdigest()
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", None)
        assert digest.sha256_of_all([*files, file]) == first
    times = files[1].stat()
    files[1].write_bytes(b"B.wav")
    os.utime(files[1], ns=(times.st_atime_ns, times.st_mtime_ns))
    assert digest.sha256_of_all([*files, file]) != first
    assert digest.sha256_of_all(files) != digest.sha256_of_all(files[::-1])
    assert digest.sha256_of_all([]) == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize("content", ["", "[]", '{"state": 1}'])
def test_a_broken_memory_is_mended(file, tmp_path, content):
    digest.sha256(file)
    (memo,) = (tmp_path / "cache" / "sha256").iterdir()
    memo.write_text(content)
    assert digest.sha256(file) == hash_of(file)


def test_a_cache_that_cannot_be_written_does_not_matter(file, tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("ESPNET_MERGE_CACHE", str(tmp_path / "taken"))
    assert digest.sha256(file) == hash_of(file)
