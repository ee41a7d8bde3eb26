"""Which commands are submitted together."""

from types import SimpleNamespace

from espnet_merge.cluster.pool import alike


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
