import errno
import fcntl

import pytest

from espnet_merge.disk.lock import hold, hold_if_free
from espnet_merge.errors import InputError


def test_one_holds_a_file_at_a_time(tmp_path):
    path = tmp_path / "lock"
    with hold(path):
        assert hold_if_free(path) is None
    with hold_if_free(path) as file:
        file.write(b"kept")
    with hold(path) as file:
        file.seek(0)
        assert file.read() == b"kept"


def test_a_file_that_is_removed_meanwhile_is_not_held(tmp_path, monkeypatch):
    path, flock = tmp_path / "lock", fcntl.flock

    def remove_first(file, how):
        monkeypatch.setattr(fcntl, "flock", flock)
        path.unlink()
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    with hold(path):
        assert hold_if_free(path) is None


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def refuse(file, how):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(InputError, match="must have locks; Function not implemented"):
        hold(tmp_path / "lock")
