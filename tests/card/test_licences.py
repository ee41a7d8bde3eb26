"""What the licences' authors say of works made of several."""

import pytest

from espnet_merge.card.licences import ONE_WAY, PASSED_ON, PERMISSIVE, joined
from espnet_merge.errors import InputError


def of(*licences):
    return joined({f"m{i}": licence for i, licence in enumerate(licences)})


@pytest.mark.parametrize(
    ("licences", "result"),
    [
        (("apache-2.0",), "apache-2.0"),
        (("mit", "apache-2.0"), "apache-2.0"),
        (("apache-2.0", "cc-by-4.0", "cc0-1.0"), "cc-by-4.0"),
        (("apache-2.0", "cc-by-nc-4.0"), "cc-by-nc-4.0"),
        (("cc-by-nc-4.0", "cc-by-nc-sa-4.0", "mit"), "cc-by-nc-sa-4.0"),
        (("gpl-3.0", "lgpl-3.0", "apache-2.0"), "gpl-3.0"),
        (("openrail", "openrail"), "openrail"),
    ],
)
def test_joined(licences, result):
    assert of(*licences) == of(*reversed(licences)) == result


@pytest.mark.parametrize(
    "licences",
    [
        ("cc-by-sa-4.0", "cc-by-nc-4.0"),
        ("gpl-3.0", "cc-by-nc-4.0"),
        ("cc-by-nd-4.0",),
        ("cc-by-nc-nd-4.0", "cc-by-nc-nd-4.0"),
        ("apache-2.0", "openrail"),  # whose terms are not known here
    ],
)
def test_conflicts_are_told_by_model(licences):
    with pytest.raises(InputError, match=rf"do not.*m0: {licences[0]}.*--license"):
        of(*licences)


@pytest.mark.parametrize("licence", ["", "other", "unknown"])
def test_an_unknown_licence_is_asked_for(licence):
    with pytest.raises(InputError, match=r"m1: its licence is not known.*--license"):
        of("mit", licence)


def test_the_table_names_licences_once_and_has_no_circle():
    names = [*PERMISSIVE, *PASSED_ON]
    assert len(set(names)) == len(names)
    assert {x for pair in ONE_WAY for x in pair} <= set(PASSED_ON)
    assert not any((whole, part) in ONE_WAY for part, whole in ONE_WAY)
