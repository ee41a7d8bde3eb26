from espnet_merge.report.curves import find_curves


def merge(scale=1.0, *, experts=("a", "b"), method="ties", **params):
    files = [{"path": name, "sha256": {"model": name}} for name in experts]
    params = {"scale": scale, **params}
    return {"method": method, "params": params, "experts": files, "base": "exp/base"}


def test_merges_in_the_order_of_the_parameter_that_differs():
    (curve,) = find_curves({"x": merge(1.0), "y": merge(0.2), "z": merge(0.7)})
    assert curve == ("ties", "scale", [("y", 0.2), ("z", 0.7), ("x", 1.0)])


def test_every_other_parameter_must_agree():
    records = {
        "x": merge(0.1, density=0.2),
        "y": merge(0.2, density=0.2),
        "z": merge(0.3, density=0.5),
        "other": merge(0.3, method="dare", density=0.2),
    }
    assert find_curves(records) == []
    records["last"] = merge(0.4, density=0.2)
    (curve,) = find_curves(records)
    assert [system for system, _ in curve.points] == ["x", "y", "last"]


def test_merges_of_more_and_more_experts():
    names = ["a", "b", "c", "d"]
    records = {f"of_{n}": merge(experts=names[:n]) for n in (4, 2, 3)}
    (curve,) = find_curves(records)
    assert curve == ("ties", "experts", [("of_2", 2), ("of_3", 3), ("of_4", 4)])


def test_a_parameter_is_not_followed_over_other_experts():
    records = {
        "x": merge(0.1, experts=("a",)),
        "y": merge(0.2, experts=("b",)),
        "z": merge(0.3, experts=("c",)),
    }
    assert find_curves(records) == []


def test_two_merges_with_the_same_number_make_no_curve():
    assert find_curves({"x": merge(0.1), "y": merge(0.1), "z": merge(0.2)}) == []


def test_flags_and_words_are_no_numbers():
    records = {
        "x": merge(trim="tensor", rescale=True),
        "y": merge(trim="global", rescale=True),
        "z": merge(trim="global", rescale=False),
    }
    assert find_curves(records) == []
