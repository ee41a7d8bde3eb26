"""Every configuration that is shipped is read, and every method has one."""

import subprocess
from pathlib import Path

import pytest

from espnet_merge.merging.config import read_config
from espnet_merge.methods import METHODS, STEPS, build_method
from tests.statistics_of import KINDS

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "conf" / "merge").glob("*.yaml"))
OF_RECIPES = sorted(ROOT.glob("egs2/*/merge1/conf/*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_shipped_configuration_builds(file):
    said = read_config(file)
    name, step = said["method"], said["params"].get("calibrate")
    params = {"calibrate": step} if step else {}
    assert said == {"method": name, "params": params}, "a default stands in the class"
    places = {"statistics": ["one", "two", "three"]} if name in KINDS else {}
    method = build_method(name, places | params)
    assert file.stem == (f"{name}_{step}" if step else name)
    assert type(method.plain) is METHODS[name]
    assert type(method) is STEPS.get(step, METHODS[name])
    method.check_experts(min(3, method.max_experts or 3))
    assert file.read_text().startswith("# ")


def test_one_module_and_one_configuration_a_method():
    modules = (ROOT / "espnet_merge" / "methods").glob("[!_]*.py")
    assert {*METHODS, *STEPS} == {module.stem for module in modules}
    assert set(METHODS) <= {file.stem for file in FILES}


@pytest.mark.parametrize("file", OF_RECIPES, ids=lambda file: file.stem)
def test_the_configuration_of_a_recipe_is_read(file):
    recipe = file.parents[1]
    script = "expand.sh" if file.stem == "expand" else "run.sh"
    process = subprocess.run(
        [recipe / script, "--config", file, "--help"],
        cwd=recipe,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert "--stage" in process.stdout
