"""Every method under every law: it holds, or the method says that it does not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from espnet_merge.methods import METHODS, build_method
from espnet_merge.methods.boosted_tsv_m import BoostedTsvM
from espnet_merge.methods.covariance import Covariance
from espnet_merge.methods.emr import Emr
from espnet_merge.methods.svc import Svc
from espnet_merge.methods.wudi import Wudi
from tests.methods._laws import LAWS, delta_of

# One set of parameters a line, and the laws that it disclaims, each with its reason.
CLAIMS = [
    ("soup", {}, {}),
    ("slerp", {}, {}),
    ("slerp", {"t": 0.3}, {"order_free": "t counts from the first"}),
    ("nuslerp", {}, {}),
    (
        "nuslerp",
        {"weights": (1, 3)},
        {"order_free": "the weights are of the first and the second"},
    ),
    (
        "karcher",
        {},
        {"order_free": "opposite directions: it starts at the first expert"},
    ),
    ("multi_slerp", {}, {}),
    ("multi_slerp", {"on": "deltas"}, {}),
    *(
        (
            "model_stock",
            {"filter_wise": filter_wise},
            {"homogeneous": "the product of norms has a floor"},
        )
        for filter_wise in (False, True)
    ),
    ("soup", {"normalize": False}, {"identical_experts_are_one": "it sums"}),
    ("task_arithmetic", {"scale": 1.0}, {"identical_experts_are_one": "it sums"}),
    ("ties", {"density": 1.0}, {}),
    ("ties", {"density": 1.0, "trim": "tensor"}, {}),
    (
        "ties",
        {"density": 0.3},
        {
            "one_expert_is_itself": "it trims",
            "identical_experts_are_one": "it trims",
        },
    ),
    (
        "ties",
        {"density": 1.0, "consensus": "sum"},
        {"identical_experts_are_one": "it sums"},
    ),
    (
        "dare",
        {"density": 1.0, "scale": 1.0},
        {"identical_experts_are_one": "it sums"},
    ),
    ("dare", {"density": 1.0, "scale": 1.0, "consensus": "mean"}, {}),
    *(
        (
            "dare",
            {"density": 0.8, "consensus": consensus},
            {
                "one_expert_is_itself": "it drops at random",
                "identical_experts_are_one": "it drops at random",
                "order_free": "the random numbers of experts differ",
            },
        )
        for consensus in ("none", "sum")
    ),
    ("della", {"density": 1.0, "epsilon": 0.0}, {}),
    (
        "della",
        {"density": 0.9},
        {
            "one_expert_is_itself": "it drops at random",
            "identical_experts_are_one": "it drops at random",
            "order_free": "the random numbers of experts differ",
        },
    ),
    (
        "breadcrumbs",
        {"density": 1.0, "gamma": 0.0, "scale": 1.0},
        {"identical_experts_are_one": "it sums"},
    ),
    *(
        (
            "breadcrumbs",
            {"density": 0.6, "gamma": 0.1, "sign_consensus": consensus},
            {
                "one_expert_is_itself": "it drops the smallest and the largest",
                "identical_experts_are_one": "it drops the smallest and the largest",
            },
        )
        for consensus in (False, True)
    ),
    *(
        (
            "pcb",
            {"density": 0.5, "variant": variant},
            {
                "one_expert_is_itself": "it keeps what scores best",
                "identical_experts_are_one": "it keeps what scores best",
                "homogeneous": "tanh is not",
            },
        )
        for variant in ("language", "vision")
    ),
    ("sce", {}, {}),
    *(
        ("ram", {"rescale": rescale}, {"homogeneous": "the threshold is absolute"})
        for rescale in (0.0, 0.1)
    ),
    (
        "sce",
        {"density": 0.3},
        {
            "one_expert_is_itself": "it keeps where experts differ",
            "identical_experts_are_one": "it keeps where experts differ",
        },
    ),
    *(
        (
            name,
            {"orthogonalise": how},
            {
                "one_expert_is_itself": "it levels the spectrum",
                "identical_experts_are_one": "it levels the spectrum",
            },
        )
        for name in ("iso_c", "iso_cts", "boosted_tsv_m")
        for how in ("svd", "newton_schulz")
    ),
    ("lines", {}, {}),
    ("lines", {"scale": 1.0}, {"identical_experts_are_one": "it sums"}),
    (
        "consensus",
        {},
        {
            "one_expert_is_itself": "it takes two to agree",
            "identical_experts_are_one": "it sums",
        },
    ),
    (
        "consensus",
        {"agreement": 1, "ratio": 0.0, "scale": 1.0},
        {"identical_experts_are_one": "it sums"},
    ),
    (
        "consensus",
        {"expert": 1, "ratio": 0.0, "scale": 1.0},
        {
            "order_free": "it is the model of one expert",
            "identical_experts_are_one": "it sums",
        },
    ),
    ("emr", {}, {"order_free": "it is the model of one expert"}),
    ("selective_attention", {}, {"order_free": "the first expert is another"}),
    *(
        (
            "tsv_m",
            {"orthogonalise": how},
            {"identical_experts_are_one": "it truncates to rank R // n"}
            | (
                {"one_expert_is_itself": "five steps leave a few per cent"}
                if how == "newton_schulz"
                else {}
            ),
        )
        for how in ("svd", "eigh", "newton_schulz")
    ),
    (
        "wudi",
        {},
        {"identical_experts_are_one": "weak directions stay at the sum"},
    ),
    (
        "covariance",
        {},
        {
            "one_expert_is_itself": "weak directions stay at the base",
            "identical_experts_are_one": "weak directions stay at the base",
        },
    ),
    *((name, {"density": 1.0}, {}) for name in ("knots", "core_space")),
    *(
        (
            name,
            {"density": 0.3},
            {
                "one_expert_is_itself": "it trims",
                "identical_experts_are_one": "it trims",
            },
        )
        for name in ("knots", "core_space")
    ),
    ("soup", {"calibrate": "svc"}, {}),
    ("ties", {"density": 1.0, "calibrate": "svc"}, {}),
    (
        "tsv_m",
        {"calibrate": "svc"},
        {"identical_experts_are_one": "tsv_m truncates to rank R // n"},
    ),
    # All experts have the same statistics here.
    ("fisher", {}, {}),
    ("fisher", {"normalize": False}, {}),
    ("regmean", {}, {}),
    ("regmean", {"off_diagonal": 1.0}, {}),
    ("lors", {"density": 1.0}, {}),
    ("lors", {"compress": "none"}, {}),
    (
        "lors",
        {"density": 1.0, "scale": 1.0},
        {"identical_experts_are_one": "it sums"},
    ),
    *(
        (
            "lors",
            {"compress": compress, "rank": 1},
            {
                "one_expert_is_itself": "it compresses",
                "identical_experts_are_one": "it compresses",
            },
        )
        for compress in ("lors", "mp", "svp")
    ),
]
CASES = [
    pytest.param(build_method(name, params), law, id=f"{name}-{params}-{law}")
    for name, params, disclaimed in CLAIMS
    for law in LAWS
    if law not in disclaimed
    and not (law == "one_expert_is_itself" and METHODS[name].min_experts > 1)
]
MOST_EXPERTS = 4
# Boosting brings all directions up to the norm at most; a ridge of rho divides by
# 2 sqrt(rho), or by sqrt(rho); calibration divides by alpha. Of up to 144 entries EMR
# may keep one, which then is as long as the sum of all.
STRETCH = {Emr: 12, BoostedTsvM: 4, Wudi: 5, Covariance: 10, Svc: 10}
SHAPES = [(), (5,), (7, 7), (12, 4), (4, 12), (4, 3, 3)]


def test_every_method_answers_to_the_laws():
    assert {name for name, _, _ in CLAIMS} == set(METHODS)
    assert all(law in LAWS for *_, disclaimed in CLAIMS for law in disclaimed)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("method", "law"), CASES)
def test_law(method, law, shape):
    for count in range(method.min_experts, (method.max_experts or 3) + 1):
        deltas = np.random.default_rng(count).normal(size=(count, *shape))
        LAWS[law](method, deltas)


@st.composite
def deltas_of_any_kind(draw, least=1, most=MOST_EXPERTS):
    """Stacks with zero, duplicate, opposite and low-rank members, any scale."""
    rows, columns = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    stack = []
    kinds = st.lists(st.sampled_from("fzdol"), min_size=least, max_size=most)
    for kind in draw(kinds):
        if kind == "f" or (kind in "do" and not stack):
            stack.append(rng.normal(size=(rows, columns)))
        elif kind == "z":
            stack.append(np.zeros((rows, columns)))
        elif kind == "l":
            stack.append(rng.normal(size=(rows, 1)) @ rng.normal(size=(1, columns)))
        else:
            stack.append(stack[0] if kind == "d" else -stack[0])
    return np.stack(stack) * 10.0 ** draw(st.integers(-12, 6))


@pytest.mark.parametrize(
    "method",
    [pytest.param(build_method(n, p), id=f"{n}-{p}") for n, p, _ in CLAIMS],
)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_delta_gives_a_finite_result_of_its_shape(method, data):
    most = method.max_experts or MOST_EXPERTS
    deltas = data.draw(deltas_of_any_kind(method.min_experts, most))
    LAWS["inputs_unmodified"](method, deltas)
    LAWS["same_bytes"](method, deltas)
    merged = delta_of(method, deltas)
    assert merged.shape == deltas.shape[1:]
    assert merged.dtype == deltas.dtype
    assert np.isfinite(merged).all()
    # A polar factor has norm 1, a sum adds norms: no method blows up.
    bound = (
        1.3
        * STRETCH.get(type(method), 1)
        * sum(np.linalg.norm(delta) for delta in deltas)
    )
    assert np.linalg.norm(merged) <= bound + 1e-300


@pytest.mark.parametrize("name", METHODS)
@given(dtype=st.sampled_from([np.float32, np.float64]), shape=hnp.array_shapes())
@settings(max_examples=20, deadline=None, derandomize=True)
def test_type_and_shape_are_kept(name, dtype, shape):
    deltas = np.random.default_rng(0).normal(size=(2, *shape)).astype(dtype)
    merged = delta_of(METHODS[name](), deltas)
    assert (merged.dtype, merged.shape) == (np.dtype(dtype), shape)
