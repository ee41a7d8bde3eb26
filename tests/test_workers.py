import threading
import time

import pytest

from espnet_merge.merging.threads import one_thread_each
from espnet_merge.workers import AHEAD, Workers, cores


@pytest.mark.parametrize("jobs", [1, 3])
def test_results_keep_the_order_of_the_items(jobs):
    def slow_first(i):
        time.sleep(0.02 if i == 0 else 0)
        return i * i

    with Workers(jobs) as workers:
        assert list(workers.map(slow_first, range(20))) == [i * i for i in range(20)]


def test_few_items_are_taken_ahead():
    taken = []

    def items():
        for i in range(100):
            taken.append(i)
            yield i

    with Workers(2) as workers:
        results = workers.map(str, items())
        assert next(results) == "0"
        assert len(taken) <= 2 * AHEAD + 2


def test_an_error_ends_the_stream_and_the_threads():
    with Workers(2) as workers, pytest.raises(ZeroDivisionError):
        list(workers.map(lambda i: 1 // (i - 5), range(1000)))
    assert not [t for t in threading.enumerate() if "ThreadPool" in t.name]


def test_libraries_compute_in_the_thread_that_asks():
    import torch
    from threadpoolctl import threadpool_info

    before = torch.get_num_threads()
    with one_thread_each(lapack=True, torch=True):
        assert torch.get_num_threads() == 1
        assert all(pool["num_threads"] == 1 for pool in threadpool_info())
    assert torch.get_num_threads() == before


def test_there_is_a_core():
    assert 1 <= cores() <= 8
