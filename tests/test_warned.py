"""Warnings of a made-up dependency, at calls of ours and at its own."""

import functools
import importlib
import sys
import threading
import warnings

import pytest
from packaging.version import Version
from torch import nn
from torch.utils.data import DataLoader

from tests import warned
from tests.test_constraints import LOCK
from tests.warned import KNOWN, Known, judge

PARTY = """
import functools
import warnings
from torch import nn

def old():
    warnings.warn("old is deprecated", DeprecationWarning, stacklevel=2)

def two(one, other):
    warnings.warn("two is deprecated", DeprecationWarning, stacklevel=2)

def careless():
    warnings.warn("careless is deprecated", FutureWarning)

def calls_old(): old()
def calls_careless(): careless()
def complains(): warnings.warn("that looks odd", UserWarning, stacklevel=2)
def calls_complains(): complains()
def reduces(): functools.reduce(two, (1, 2))

class Layer(nn.Module):
    def forward(self, past=None):
        if past is not None:
            _deprecated()

def _deprecated():
    warnings.warn("past is deprecated", FutureWarning, stacklevel=3)

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = Layer()
    def forward(self):
        self.layer(past=1)
"""


@pytest.fixture
def party(tmp_path, monkeypatch):
    place = tmp_path / "site-packages"
    place.mkdir()
    (place / "party.py").write_text(PARTY)
    monkeypatch.syspath_prepend(place)
    yield importlib.import_module("party")
    del sys.modules["party"]


@pytest.fixture
def shown(monkeypatch):
    """What comes through to pytest's summary."""
    shown = []
    show = judge(lambda message, *rest: shown.append(str(message)))
    monkeypatch.setattr(warnings, "showwarning", show)
    return shown


OURS = {
    "old": lambda party: party.old(),
    "of itself": lambda party: party.careless(),
    "argument of a layer": lambda party: party.Layer()(past=1),
    "layer in a container": lambda party: nn.Sequential(party.Layer())(1),
    "through the standard library": lambda party: functools.reduce(party.two, (1, 2)),
    "not a deprecation": lambda party: party.complains(),
    "not a deprecation, theirs": lambda party: party.calls_complains(),
}
THEIRS = {
    "old": lambda party: party.calls_old(),
    "of itself": lambda party: party.calls_careless(),
    "argument of a layer": lambda party: party.Model()(),
    "through the standard library": lambda party: party.reduces(),
    "in the file": lambda party: compile(r"'\d'", party.__file__, "eval"),
}


@pytest.mark.parametrize("call", OURS.values(), ids=OURS)
def test_ours_is_an_error(party, shown, call):
    with pytest.raises(Warning, match=r"deprecated|odd"):
        call(party)
    assert shown == []


@pytest.mark.parametrize("call", THEIRS.values(), ids=THEIRS)
def test_theirs_is_shown(party, shown, call):
    call(party)
    assert len(shown) == 1


def test_a_known_one_is_silent_and_no_other(party, shown, monkeypatch):
    known = Known("party", DeprecationWarning, "old is", "party", "2")
    monkeypatch.setattr(warned, "KNOWN", [known])
    party.calls_old()
    party.calls_careless()
    assert shown == ["careless is deprecated"]
    with pytest.raises(DeprecationWarning):
        party.old()


def test_the_workers_of_a_loader_may_start_beside_threads(shown):
    stop = threading.Event()
    other = threading.Thread(target=stop.wait)
    other.start()
    try:
        assert len([*DataLoader([1, 2], num_workers=1)]) == 2
    finally:
        stop.set()
        other.join()
    assert shown == []


def test_a_c_function_that_warns_is_called_by_the_frame_it_names(shown):
    with pytest.raises(DeprecationWarning):
        ~True  # noqa: B018
    assert shown == []


def test_this_very_run_is_judged(party):
    with pytest.raises(DeprecationWarning):
        party.old()


@pytest.mark.parametrize("entry", KNOWN, ids=str)
def test_known_ones_have_not_ended(entry):
    """Whoever renews the lock takes the entry out; no clone turns red by itself."""
    locked = LOCK[entry.package]
    assert Version(locked) < Version(entry.ends_in), (
        f"take {entry.message!r} out of KNOWN in tests/warned.py: "
        f"it ended in {entry.package} {entry.ends_in}, and {locked} is locked"
    )
