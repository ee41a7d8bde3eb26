import inspect

import pytest

import espnet_merge as em
from docs.site.functions import NAMES, described


@pytest.mark.parametrize("name", NAMES)
def test_a_function_has_its_parameters(name):
    function = described(name)
    wanted = inspect.signature(getattr(em, name)).parameters
    assert [one.name for one in function.parameters] == list(wanted)
    needed = {n for n, one in wanted.items() if one.default is one.empty}
    assert {p.name for p in function.parameters if p.default is None} == needed


def test_types_are_said_without_their_modules():
    parameters = {one.name: one for one in described("merge").parameters}
    assert parameters["experts"].annotation == "Sequence[str | Path] | None"
    assert parameters["dtype"].default == "'float32'"
    assert parameters["jobs"].default == "..."  # as many as the machine has cores
    assert described("merge").returns == "Merged | PlannedMerge"


def test_examples_are_a_section():
    sections = described("merge").docstring.parse("google")
    kinds = [section.kind.value for section in sections]
    assert kinds == ["text", "parameters", "returns", "raises", "examples"]
