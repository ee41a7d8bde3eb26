"""The recipe's own stages on a real SLURM, with faults: the results of a local run."""

import signal
import sys
import time
from pathlib import Path

from tests.recipes.test_merge1 import Recipe
from tests.slurm.recipe import OnCluster

FEWER = {"kinds": "full", "joint": "", "merge_configs": "soup tsv_m", "train_nj": "2"}


def test_faults_do_not_change_the_results(
    cluster, tmp_path, micro_whisper, warm, noticed
):
    """A node without power in training; later the driver is ended by TERM."""
    for name in ("local", "cluster"):
        (tmp_path / name).mkdir()
    local = Recipe(tmp_path / "local", micro_whisper, warm)
    done = local.run(**FEWER)
    assert done.returncode == 0, done.stderr[-3000:]

    recipe = OnCluster(cluster, tmp_path / "cluster", micro_whisper, warm)
    done = recipe.run(**FEWER, stop_stage="6")
    assert done.returncode == 0, done.stderr[-3000:]

    # What is killed must be a process of the job, so it starts cold.
    recipe.use(Path(sys.prefix))
    driver = recipe.start(**FEWER, stage="7", stop_stage="7")
    expert = recipe.directory / "exp" / "full_es"
    cluster.wait_for((expert / "train.log").exists, 60, "training")
    (node,) = {line.split()[2] for line in cluster.jobs() if "full_es" in line}
    cluster.cut_power(node)
    cluster.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    launch = expert / "launch.log"
    noticed(
        cluster.wait_for(lambda: "NODE_FAIL" in launch.read_text(), 60, "notice"), 15
    )
    cluster.start(node)
    _, said = driver.communicate(timeout=240)
    assert driver.returncode == 0, said[-3000:]
    assert "lost its node [NODE_FAIL]" in said

    driver = recipe.start(**FEWER, stage="8")
    place = recipe.directory / "exp" / "soup" / "inference_true_length"
    cluster.wait_for(place.exists, 120, "decoding")
    driver.send_signal(signal.SIGTERM)
    _, said = driver.communicate(timeout=60)
    assert driver.returncode == 143
    assert "ended by TERM" in said
    assert not cluster.jobs()

    recipe.use(warm)
    done = recipe.run(**FEWER)
    assert done.returncode == 0, done.stderr[-3000:]
    assert recipe.results() == local.results()
    start = time.monotonic()
    assert recipe.run(**FEWER, stage="7", stop_stage="9").returncode == 0
    noticed(time.monotonic() - start, 8)  # nothing is done again
