import contextlib
import fcntl
import os
import re
import threading
import time

import pytest

from espnet_merge.disk.atomic import (
    check_output,
    one_writer,
    whole_directory,
    whole_file,
)
from espnet_merge.errors import InputError


def write(output, text="new", *, overwrite=True):
    with whole_directory(output, overwrite=overwrite) as directory:
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


def die_while_writing(output):
    """Begin to write in a process of its own, which is killed."""
    if child := os.fork():
        os.waitpid(child, 0)
        return
    with (
        whole_directory(output) as part,
        whole_file(output.with_suffix(".txt")) as file,
    ):
        for path in (part / "half", file):
            path.write_text("x")
        os._exit(0)


def test_a_rerun_removes_the_remains_of_a_killed_run(tmp_path):
    die_while_writing(tmp_path / "out")
    left = sorted(os.listdir(tmp_path), key=len)
    for name, suffix in zip(left, ("", r"\.txt"), strict=True):
        assert re.fullmatch(rf"\.out\..+-\d+-[0-9a-f]{{8}}\.partial{suffix}", name)
    write(tmp_path / "out")
    assert os.listdir(tmp_path) == ["out"]
    assert os.listdir(tmp_path / "out") == ["mark"]


def test_what_another_machine_has_begun_stays_for_a_week(tmp_path):
    for place, age in (("away-1", 6), ("gone-1", 8)):
        begun = tmp_path / f".out.{place}-1-0123abcd.partial"
        begun.mkdir()
        (begun / "half").write_text("x")
        for path in (begun / "half", begun):
            os.utime(path, (time.time() - age * 86400,) * 2)
    write(tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == [".out.away-1-1-0123abcd.partial", "out"]


def write_late(output, record, text, earlier):
    """Write ``text``, while another one begins and ends to write ``earlier``."""
    with whole_directory(output, record) as directory:
        (directory / "mark").write_text(text)
        write(output, earlier)


@pytest.mark.parametrize("older", [False, True], ids=["new", "overwritten"])
@pytest.mark.parametrize("record", [None, "mark"])
def test_of_two_writers_the_first_whole_result_stays(tmp_path, capsys, older, record):
    out = tmp_path / "out"
    if older:
        write(out, "old")
    write_late(out, record, "new", "new")
    assert "out: was there already" in capsys.readouterr().err
    with pytest.raises(InputError, match="a different result there meanwhile"):
        write_late(out, record, "other", "newer")
    assert os.listdir(tmp_path) == ["out"]
    assert (out / "mark").read_text() == "newer"


def test_what_was_put_there_before_the_writing_began_stays(tmp_path):
    write(tmp_path / "out", "first")
    with pytest.raises(InputError, match="a different result"):
        write(tmp_path / "out", "second", overwrite=False)
    assert (tmp_path / "out" / "mark").read_text() == "first"


def test_results_are_the_same_where_their_records_are(tmp_path, capsys):
    out = tmp_path / "out"
    for record, number in (("mark", 1), (None, 2)):
        with contextlib.suppress(InputError), whole_directory(out, record) as late:
            (late / "mark").write_text("new")
            (late / "log").write_text(f"not in the record {number}")
            write(out)
    assert capsys.readouterr().err.count("was there already") == 1


def test_a_file_is_that_of_the_last_writer(tmp_path):
    path = tmp_path / "a.txt"
    with whole_file(path) as one, whole_file(path) as two:
        assert one != two
        assert one.suffix == two.suffix == ".txt"
        one.write_text("one")
        two.write_text("two")
    assert path.read_text() == "one"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_long_names_have_temporary_names(tmp_path):
    with whole_file(tmp_path / f"{'ж' * 120}.json") as part:
        part.write_text("{}")


def test_files_that_belong_together_are_of_one_writer(tmp_path):
    def write_both(name):
        with one_writer(tmp_path):
            for file in "ab":
                (tmp_path / file).write_text(name)
                entered.set()
                time.sleep(0.05)

    entered = threading.Event()
    threads = [threading.Thread(target=write_both, args=[name]) for name in "12"]
    threads[0].start()
    entered.wait()
    threads[1].start()
    for thread in threads:
        thread.join()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a": "2",
        "b": "2",
    }


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


def test_one_writer_does_not_wait_for_the_recipe_that_runs_it(tmp_path):
    with (tmp_path / ".lock").open("w") as recipe:
        fcntl.flock(recipe, fcntl.LOCK_EX)
        with one_writer(tmp_path):
            assert (tmp_path / ".lock").exists()
    assert [file.name for file in tmp_path.iterdir()] == [".lock"]
