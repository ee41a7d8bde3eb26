"""Every merge configuration that is shipped builds, and every method has one."""

from pathlib import Path

import pytest

from espnet_merge.bin.merge import read_config
from espnet_merge.methods import METHODS, build_method
from tests.statistics_of import KINDS

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "conf" / "merge").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_shipped_configuration_builds(file):
    name, params = read_config(file)
    if name in KINDS:
        params["statistics"] = ["one", "two", "three"]
    method = build_method(name, params)
    assert method.check_experts(min(3, method.max_experts or 3)) is None
    assert file.read_text().startswith("# ")


def test_one_module_and_one_configuration_a_method():
    modules = (ROOT / "espnet_merge" / "methods").glob("[!_]*.py")
    assert set(METHODS) == {module.stem for module in modules}
    assert set(METHODS) <= {file.stem for file in FILES}
