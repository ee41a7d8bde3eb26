import pytest

from espnet_merge.decode.journal import Journal
from espnet_merge.errors import InputError
from espnet_merge.job_array import Shard

MODE = {"beam": 1, "pad_to": 0.0}
FIRST, SECOND = [{"a": 1}], [{"b": "да"}]


def write(directory, batches, shard=None):
    with Journal(directory, MODE, shard) as journal:
        for number, batch in batches.items():
            journal.append(number, batch)


def read(directory, mode=MODE, shard=None):
    with Journal(directory, mode, shard) as journal:
        return journal.batches


def test_batches_come_back(tmp_path):
    write(tmp_path / "deep", {0: FIRST, 3: SECOND})
    assert read(tmp_path / "deep") == {0: FIRST, 3: SECOND}


def test_a_line_cut_anywhere_is_dropped(tmp_path):
    batches = {0: FIRST, 1: SECOND}
    write(tmp_path, batches)
    path = tmp_path / ".partial"
    whole = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        complete = max(sum(e <= size for e in ends) - 1, 0)
        assert read(tmp_path) == {n: batches[n] for n in range(complete)}
        write(tmp_path, {n: batches[n] for n in range(complete, 2)})
        assert path.read_bytes() == whole


def test_another_mode_begins_anew(tmp_path):
    write(tmp_path, {0: FIRST})
    assert read(tmp_path, {**MODE, "beam": 5}) == {}
    assert read(tmp_path) == {}


def test_every_job_knows_what_all_have_decoded(tmp_path):
    write(tmp_path, {4: FIRST})
    write(tmp_path, {0: FIRST}, Shard(1, 2))
    write(tmp_path, {1: SECOND}, Shard(2, 2))
    # What another job is just writing is not there yet.
    with (tmp_path / ".partial-2-of-2").open("ab") as file:
        file.write(b'[3, [{"a"')
    everything = {0: FIRST, 1: SECOND, 4: FIRST}
    assert read(tmp_path, shard=Shard(3, 3)) == everything
    assert read(tmp_path) == everything
    assert read(tmp_path, {**MODE, "beam": 5}, Shard(1, 4)) == {}


def test_nothing_is_left_when_the_result_is_written(tmp_path):
    write(tmp_path, {0: FIRST}, Shard(1, 2))
    with Journal(tmp_path, MODE) as journal:
        journal.remove()
    assert list(tmp_path.iterdir()) == []


def test_one_process_a_shard(tmp_path):
    with Journal(tmp_path, MODE, Shard(1, 2)):
        assert read(tmp_path, shard=Shard(2, 2)) == {}
        with pytest.raises(InputError, match="one for each --shard"):
            Journal(tmp_path, MODE, Shard(1, 2))
        with pytest.raises(InputError, match="only one process"):
            Journal(tmp_path, MODE)
    with Journal(tmp_path, MODE), pytest.raises(InputError, match="only one process"):
        Journal(tmp_path, MODE)
    assert read(tmp_path) == {}
