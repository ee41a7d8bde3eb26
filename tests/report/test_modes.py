"""Which settings must be equal in one table."""

from espnet_merge.decoding.settings import Settings
from espnet_merge.options import declared
from espnet_merge.report.modes import SETTINGS

# They change how long decoding takes, by what an adapter is chosen, what is noted.
FREE = {"batch_size", "device", "threads", "min_confidence", "hear"}


def test_no_option_of_decoding_is_forgotten():
    assert len(set(SETTINGS)) == len(SETTINGS)
    assert set(SETTINGS) | FREE == set(declared(Settings))
    assert set(SETTINGS).isdisjoint(FREE)
