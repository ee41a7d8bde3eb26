import shutil

import pytest

from espnet_merge.data import deb
from espnet_merge.errors import InputError
from tests.data.debs import write_deb


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """The pool folder of a mirror on disk."""
    monkeypatch.setenv("DEBIAN_MIRROR", (tmp_path / "mirror").as_uri())
    return tmp_path / "mirror" / "pool" / "main" / "s" / "source"


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def test_file_is_named_without_the_epoch_of_the_version():
    package = deb.DebianPackage("sounds", "1:1.4+mm2-3", "source", "0")
    assert package.file == "sounds_1.4+mm2-3_all.deb"


def test_members_are_the_files_that_were_packed(tmp_path):
    files = {"usr/share/a.txt": b"odd", "usr/share/b": b"even"}
    package = write_deb(tmp_path, "sounds", files)
    assert dict(deb.members(tmp_path / package.file)) == files


@pytest.mark.parametrize("content", [b"", b"PK", b"!<arch>\nshort"])
def test_what_is_no_package_is_refused(tmp_path, content):
    (tmp_path / "x.deb").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.deb: must be a Debian package"):
        list(deb.members(tmp_path / "x.deb"))


def test_truncated_package_is_refused(tmp_path):
    package = write_deb(tmp_path, "sounds", {"usr/a": bytes(range(256)) * 50})
    path = tmp_path / package.file
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(InputError, match="must be a Debian package"):
        list(deb.members(path))


def test_mirror_is_asked_once(mirror, cache):
    package = write_deb(mirror, "sounds", {"usr/a": b"1"})
    path = deb.get(package, cache)
    shutil.rmtree(mirror)
    assert deb.get(package, cache) == path
    assert dict(deb.members(path)) == {"usr/a": b"1"}


def test_corrupted_download_is_deleted_and_named(mirror, cache):
    package = write_deb(mirror, "sounds", {"usr/a": b"1"})
    (mirror / package.file).write_bytes(b"error page")
    with pytest.raises(InputError, match=r"sounds_1_all\.deb: sha256 must be .* again"):
        deb.get(package, cache)
    assert list(cache.iterdir()) == []


def test_corrupted_cache_is_deleted(mirror, cache):
    package = write_deb(mirror, "sounds", {"usr/a": b"1"})
    deb.get(package, cache).write_bytes(b"damaged")
    with pytest.raises(InputError, match="was deleted"):
        deb.get(package, cache)
    assert deb.get(package, cache).exists()


def test_unreachable_mirror(mirror, cache):
    package = write_deb(cache.parent, "sounds", {})
    with pytest.raises(InputError, match="Check DEBIAN_MIRROR"):
        deb.get(package, cache)
    assert list(cache.iterdir()) == []


def test_no_apt_and_no_mirror_says_what_to_set(tmp_path, cache, monkeypatch):
    monkeypatch.delenv("DEBIAN_MIRROR", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    package = write_deb(tmp_path, "sounds", {})
    with pytest.raises(InputError, match=r"no apt-get .* set DEBIAN_MIRROR"):
        deb.get(package, cache)


@pytest.mark.parametrize("works", [True, False])
def test_apt_delivers_or_its_complaint_is_shown(tmp_path, cache, monkeypatch, works):
    package = write_deb(tmp_path, "sounds", {"usr/a": b"1"})
    apt = tmp_path / "bin" / "apt-get"
    apt.parent.mkdir()
    job = f'cp "{tmp_path / package.file}" .' if works else "echo E: lost >&2; exit 100"
    apt.write_text(
        f'#!/bin/sh\n[ "$*" = "download --quiet sounds=1" ] || exit 9\n{job}'
    )
    apt.chmod(0o755)
    monkeypatch.delenv("DEBIAN_MIRROR", raising=False)
    monkeypatch.setenv("PATH", f"{apt.parent}:/usr/bin:/bin")
    if works:
        assert dict(deb.members(deb.get(package, cache))) == {"usr/a": b"1"}
    else:
        with pytest.raises(InputError, match=r"\(E: lost\)\. Run 'apt-get update'"):
            deb.get(package, cache)
