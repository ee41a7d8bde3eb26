import pytest

from espnet_merge.decode.journal import Journal
from espnet_merge.errors import InputError

MODE = {"beam": 1, "pad_to": 0.0}


def write(path, *batches):
    with Journal(path, MODE) as journal:
        for batch in batches:
            journal.append(batch)


def read(path, mode=MODE):
    with Journal(path, mode) as journal:
        return journal.batches


def test_batches_come_back(tmp_path):
    write(tmp_path / "j", [{"a": 1}], [{"b": "да"}])
    assert read(tmp_path / "j") == [[{"a": 1}], [{"b": "да"}]]


def test_a_line_cut_anywhere_is_dropped(tmp_path):
    path = tmp_path / "j"
    write(path, [{"a": 1}], [{"b": "да"}])
    whole = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        complete = [[{"a": 1}], [{"b": "да"}]][
            : max(sum(e <= size for e in ends) - 1, 0)
        ]
        assert read(path) == complete
        write(path, *[[{"a": 1}], [{"b": "да"}]][len(complete) :])
        assert path.read_bytes() == whole


def test_another_mode_begins_anew(tmp_path):
    write(tmp_path / "j", [{"a": 1}])
    assert read(tmp_path / "j", {**MODE, "beam": 5}) == []
    assert read(tmp_path / "j") == []


def test_one_process_at_a_time(tmp_path):
    path = tmp_path / "j"
    with Journal(path, MODE), pytest.raises(InputError, match="only one process"):
        Journal(path, MODE)
    assert read(path) == []
