import os

import pytest

from espnet_merge.disk.atomic import check_output, whole_directory
from espnet_merge.errors import InputError


def write(output, text="new"):
    with whole_directory(output) as directory:
        (directory / "mark").write_text(text)


def test_appears_whole(tmp_path):
    with whole_directory(tmp_path / "a" / "out") as directory:
        (directory / "mark").write_text("new")
        assert not (tmp_path / "a" / "out").exists()
    assert os.listdir(tmp_path / "a") == ["out"]


def test_the_files_may_be_read_by_whom_the_directory_may(tmp_path):
    with whole_directory(tmp_path / "out") as directory:
        (directory / "secret").touch(mode=0o600)
    mode = (tmp_path / "out").stat().st_mode
    assert (tmp_path / "out" / "secret").stat().st_mode & 0o777 == mode & 0o666


def test_a_failure_leaves_nothing_or_what_was_there(tmp_path):
    out = tmp_path / "out"
    for before in ([], ["out"]):
        with pytest.raises(IsADirectoryError), whole_directory(out) as directory:
            (directory / ".").write_text("no file can have this name")
        assert os.listdir(tmp_path) == before
        write(out)
    assert (out / "mark").read_text() == "new"


def test_a_rerun_replaces_the_remains_of_a_killed_run(tmp_path):
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "half").write_text("x")
    write(tmp_path / "out")
    write(tmp_path / "out", "newer")
    assert os.listdir(tmp_path) == ["out"]
    assert os.listdir(tmp_path / "out") == ["mark"]


def test_only_results_are_overwritten(tmp_path):
    out = tmp_path / "out"
    check_output(out, overwrite=False, mark="mark")
    out.mkdir()
    with pytest.raises(InputError, match="exists; give another --output"):
        check_output(out, overwrite=False, mark="mark")
    with pytest.raises(InputError, match="not a result of this command"):
        check_output(out, overwrite=True, mark="mark")
    (out / "mark").touch()
    check_output(out, overwrite=True, mark="mark")
