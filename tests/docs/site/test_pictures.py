import re

import numpy as np
import pytest

from docs import toy
from docs.site import pictures
from docs.site.pictures import EXPERTS, IMAGES, OTHER, SETS, english, kept, rates
from tests.docs.site.conftest import ROOT

PAGE = (ROOT / "docs" / "concepts.md").read_text("utf-8")
DRAWN = pictures.pictures()


def test_every_picture_is_there_and_shown():
    shown = re.findall(r"\(images/(\w+)\.png\)", PAGE)
    assert shown == list(DRAWN)
    assert [name for name in shown if not (IMAGES / f"{name}.png").is_file()] == []


def test_the_captions_are_true():
    table = english()
    assert table.seeds == 3
    values = rates(table, {"zero_shot": "", **EXPERTS}, SETS)
    assert values.argmin(axis=0).tolist() == [1, 2, 3]  # best on the own domain
    assert (values[1, 1:] > values[0, 1:]).all()  # the expert for prompts on others
    systems = {"soup": "", "tsv_m": "", "routed_heard": ""}
    soup, merge, route = rates(table, systems, SETS).mean(axis=1)
    assert soup > merge
    assert f"is {route:.1f} by this route, {merge:.1f} by TSV-M." in PAGE
    lengths = [table.systems.runs["soup"][name]["seed_0"].outcome for name in OTHER]
    assert [len(outcome.lengths) for outcome in lengths] == [124, 135]


def test_half_a_task_vector_is_half_of_it():
    tau = toy.task_vectors()[0]
    assert kept(tau / 2, tau) == pytest.approx(0.5)
    assert kept(np.zeros_like(tau), tau) == 0


def test_interference_names_the_share_of_conflicts():
    one, two = toy.task_vectors()
    axes = DRAWN["interference"].axes[0]
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    share = np.mean(np.sign(one) != np.sign(two))
    assert texts[1] == f"opposite signs: {share:.0%} of the entries"


def test_bars_are_the_rates():
    axes = DRAWN["route"].axes[0]
    heights = [bar.get_height() for bar in axes.patches[: len(SETS | OTHER)]]
    expected = rates(english(), {"zero_shot": ""}, SETS | OTHER)[0]
    assert heights == pytest.approx(list(expected))
