"""A recipe whose jobs are those of a SLURM."""

import copy
import shutil
import subprocess
from pathlib import Path

from tests.recipes.test_merge1 import Recipe

FEWER = {"kinds": "full", "joint": "", "merge_configs": "soup tsv_m", "train_nj": "2"}


def without_expert(recipe: "OnCluster", name: str) -> "OnCluster":
    """Have an expert not trained yet."""
    shutil.rmtree(recipe.directory / "exp" / name)
    return recipe


class OnCluster(Recipe):
    """A recipe whose jobs are SLURM's, but for the stages that are run as ``local``."""

    backend = "slurm"

    def __init__(self, cluster, root: Path, base: Path, venv: Path) -> None:
        super().__init__(root, base, venv)
        self.cluster = cluster

    def env(self) -> dict[str, str]:
        variables = {**self.cluster.environment, "cmd_backend": self.backend}
        return {**super().env(), **variables}

    def copy(self, root: Path) -> "OnCluster":
        """Return a recipe that has done the same, in another directory."""
        old = self.venv.parent
        shutil.copytree(old, root, symlinks=True, dirs_exist_ok=True)
        new = copy.copy(self)
        new.venv = root / ".venv"
        new.directory = root / self.directory.relative_to(old)
        return new

    def start(self, **options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(**options),
            env=self.env(),
            text=True,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
