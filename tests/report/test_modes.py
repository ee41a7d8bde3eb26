"""Which settings must be equal in one table."""

from espnet_merge.decode.settings import Settings
from espnet_merge.options import declared
from espnet_merge.report.modes import SETTINGS

# They change how long decoding takes, what is noted beside the texts, and which adapter
# is chosen.
FREE = {"batch_size", "device", "threads", "hear", "min_confidence"}


def test_no_option_of_decoding_is_forgotten():
    assert len(set(SETTINGS)) == len(SETTINGS)
    assert set(SETTINGS) | FREE == set(declared(Settings))
    assert set(SETTINGS).isdisjoint(FREE)
