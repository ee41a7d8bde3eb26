"""What the loop over tensors may ask of a method: little, and all of it documented."""

import inspect

from espnet_merge.methods import Method

CONSTANTS = {
    "space",
    "arrays",
    "base",
    "propagates_nan",
    "factored",
    "min_experts",
    "max_experts",
}
QUESTIONS = {"after", "has_step", "is_matrix", "check_experts"}
# Of a step after a merge, and what a record says.
TOLD = {"plain", "params"}


def test_the_interface_is_narrow_and_documented():
    members = {name for name in vars(Method) if not name.startswith("_")}
    assert members == CONSTANTS | QUESTIONS | TOLD
    assert all(f"    {name}: " in Method.__doc__ for name in CONSTANTS)
    assert all(inspect.getdoc(getattr(Method, name)) for name in QUESTIONS | TOLD)
