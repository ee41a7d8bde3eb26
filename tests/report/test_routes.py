"""Tables of systems that route, on made-up scores and a made-up router."""

import json
import shutil

import pytest

from espnet_merge.errors import InputError
from espnet_merge.report.data import data
from espnet_merge.report.findings import find
from espnet_merge.report.pictures import draw_rates
from espnet_merge.report.plan import Plan
from espnet_merge.report.results import read_results
from espnet_merge.report.routes import differences, markdown, routers
from tests.report.fake import MODE, PLAN, read, write_score

ROUTED = ["routed", "routed_heard"]


@pytest.fixture
def routed(exp):
    """Systems of which one is linked to those of the experts and of the base."""
    place = exp / "routed/inference_padded"
    place.mkdir(parents=True)
    for name, own in (("es", "full_es"), ("it", "full_it"), ("en", "zero_shot")):
        target = f"../../{own}/inference_padded/{name}_test"
        (place / f"{name}_test").symlink_to(target)
    cells = {
        "es": {"utterances": 37, "errors": 100, "reference": 900, "rate": 100 / 9},
        "it": {"utterances": 3, "errors": 30, "reference": 100, "rate": 30.0},
    }
    for name, errors in (("es", 130), ("it", 100), ("en", 120)):
        path = exp / f"routed_heard/inference_padded/{name}_test"
        write_score(path, errors, **({"routes": {"es": cells}} if name == "es" else {}))
    return exp


def test_the_chosen_experts_and_the_price_of_errors(routed):
    results = read(routed, routed=ROUTED)
    assert results.plan.kinds["routed_heard"] == "routed"
    lines = list(markdown(results))
    assert lines[0].startswith("### Utterances by chosen expert (WER in")
    assert "| system | set | spoken | es | it |" in lines
    assert "| routed_heard | es_test | es | 37 (11.1 %) | 3 (30.0 %) |" in lines
    # By hand: 13, 10 and 12 % less 10, 10 and 10 %.
    assert differences(results).rows == {
        "routed_heard": pytest.approx([3.0, 0.0, 1.5, 2.0, 2.0])
    }
    (title,) = [line for line in lines if line.startswith("### Difference")]
    assert title.startswith("### Difference to routed (points of WER), padded to 30 s")
    found = data(results, find(results, routed))
    assert found["routes"]["routed_heard"]["es_test"]["es"]["it"]["utterances"] == 3
    changes = found["routed_differences"]["routed_heard"]
    assert changes["in-domain"] == pytest.approx(1.5)


def test_kinds_have_colours(routed):
    figure = draw_rates(read(routed, routed=ROUTED))
    (legend,) = figure.legends
    assert "routed" in [text.get_text() for text in legend.get_texts()]


def test_without_routed_systems_there_is_no_table(exp):
    assert list(markdown(read(exp))) == []
    assert list(routers(read(exp, routed=["mixture"]).plan, exp)) == []


def test_what_is_linked_is_compared_where_it_lies(routed):
    """The base was decoded in another mode: so was what a routed system has of it."""
    base = routed / "zero_shot/inference_padded"
    shutil.rmtree(base)
    for name in ("es", "it", "en"):
        mode = {**MODE, "pad_to": 30, "beam": 5}
        write_score(routed / f"zero_shot/inference_other/{name}_test", 300, mode=mode)
    link = routed / "routed/inference_padded/en_test"
    link.unlink()
    link.symlink_to("../../zero_shot/inference_other/en_test")
    results = read_apart(routed)
    assert results.rate("routed", "en_test") == results.rate("zero_shot", "en_test")
    link.unlink()
    shutil.copytree(routed / "zero_shot/inference_other/en_test", link)
    with pytest.raises(InputError, match="routed on en_test, padded: beam must be"):
        read_apart(routed)


def read_apart(exp):
    plan = Plan(**{**PLAN, "routed": ROUTED})
    return read_results(exp, plan, "padded", "other")


def test_a_router_is_shown_with_its_errors(tmp_path, exp):
    plan = read(exp, routed=["routed_heard"]).plan
    path = tmp_path / "routed_heard/router/router.json"
    path.parent.mkdir(parents=True)
    confusion = {"es": {"es": 9, "it": 1}, "it": {"es": 0, "it": 10}}
    record = {"names": ["es", "it"], "confusion": confusion, "accuracy": 95.0}
    path.write_text(json.dumps(record))
    lines = list(routers(plan, tmp_path))
    assert lines[0].startswith(
        "The router of routed_heard has an accuracy of 95.0 % on"
    )
    assert "| es | 9 | 1 |" in lines
    assert "| it | 0 | 10 |" in lines
    path.write_text(json.dumps({**record, "confusion": {}}))
    with pytest.raises(InputError, match="KeyError 'es': train it anew"):
        list(routers(plan, tmp_path))
