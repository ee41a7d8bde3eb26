"""Which commands are submitted together, and which again."""

from types import SimpleNamespace

import pytest

from espnet_merge.cluster.client import Client
from espnet_merge.cluster.pool import alike
from espnet_merge.cluster.report import lost_words


def client(name, tasks, words=("sbatch",), most=0):
    settings = SimpleNamespace(max_jobs_run=most)
    request = SimpleNamespace(words=words, name=name)
    return SimpleNamespace(
        request=request, settings=settings, waiting=list(range(tasks))
    )


def names(clients):
    return [[one.request.name for one in group] for group in alike(clients)]


def test_those_that_ask_for_the_same_are_together_in_their_order():
    gpu = ("sbatch", "--gres=gpu:1")
    clients = [client("a", 1), client("b", 1, gpu), client("c", 2), client("d", 1, gpu)]
    assert names(clients) == [["a", "c"], ["b", "d"]]
    assert names([client("a", 1, most=2), client("b", 1)]) == [["b"], ["a"]]


def test_an_array_of_several_commands_has_no_more_tasks_than_slurm_takes():
    clients = [client("a", 400), client("b", 600), client("c", 1), client("d", 1500)]
    assert names(clients) == [["a", "b"], ["c"], ["d"]]
    assert names([]) == []


@pytest.mark.parametrize("state", ["NODE_FAIL", "COMPLETED", "GONE"])
def test_what_the_cluster_broke_is_submitted_again_a_few_times(state):
    """``COMPLETED`` without a status: a daemon died while it began the task."""
    lost = [state]
    record = SimpleNamespace(losses=lambda _, states: sum(x in states for x in lost))
    settings = SimpleNamespace(retries=3, resume=0)
    one = Client(SimpleNamespace(settings=settings, tasks=[1]), record)
    assert one.again(1, state)
    lost += [state] * 3
    assert not one.again(1, state)
    assert lost_words(state, None).endswith(f" [{state}]")
    assert not lost_words(state, None).startswith("ended ")
