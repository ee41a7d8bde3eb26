import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods import build_method
from espnet_merge.methods.lors import Lors
from espnet_merge.methods.ties import Ties


def test_values_become_the_types_of_the_fields():
    built = build_method("ties", {"density": "1e-3", "scale": 1, "weights": [1, 2]})
    assert built == Ties(density=0.001, scale=1.0, weights=(1.0, 2.0))
    assert build_method("lors", {"rank": None}) == Lors()


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("tie", {}, "unknown method 'tie': there are soup, .*did you mean 'ties'"),
        ("ties", {"densty": 1}, "unknown parameter of ties .*did you mean 'density'"),
        ("tsv_m", {"weights": [1]}, "unknown parameter of tsv_m 'weights'"),
        ("ties", {"density": "much"}, "density must be a number, got 'much'"),
        ("ties", {"density": True}, "density must be a number, got True"),
        ("ties", {"trim": "all"}, "trim must be one of tensor, global, got 'all'"),
        ("ties", {"trim": [1]}, "trim must be one of"),
        ("ties", {"weights": 3}, "weights must be a list of numbers"),
        ("lors", {"rank": 1.5}, "rank must be a whole number, got 1.5"),
        ("soup", {"normalize": 1}, "normalize must be true or false, got 1"),
        ("soup", {"weights": ["a"]}, "weights must be a number, got 'a'"),
        ("ties", {"scale": None}, "scale must be a number, got None"),
        ("ties", {"density": 2}, r"density must lie in \(0, 1\], got 2.0"),
    ],
)
def test_says_what_is_wrong(name, params, message):
    with pytest.raises(InputError, match=message):
        build_method(name, params)
