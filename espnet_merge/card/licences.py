"""The licence of what is made of several models.

A table of what the licences' authors say of each other; no advice of a lawyer.
"""

from collections.abc import Mapping

from espnet_merge.errors import InputError

# By the names of the hub, each with those that ask for no less. What is under one may
# be part of what is under a later one, or under any that is not in this list.
PERMISSIVE = (
    *("cc0-1.0", "unlicense", "wtfpl", "mit", "isc", "bsd", "bsd-2-clause"),
    *("bsd-3-clause", "apache-2.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0"),
)
# Licences whose terms pass on to what is made of it.
PASSED_ON = (
    *("cc-by-sa-3.0", "cc-by-sa-4.0", "lgpl-3.0", "gpl-3.0", "agpl-3.0"),
    *("cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"),
)
# One may be part of the other. Creative Commons, compatible licences:
# https://creativecommons.org/compatiblelicenses; GPL 3, section 13.
ONE_WAY = {
    ("cc-by-sa-3.0", "cc-by-sa-4.0"),
    ("cc-by-sa-4.0", "gpl-3.0"),
    ("cc-by-nc-3.0", "cc-by-nc-4.0"),
    ("cc-by-nc-3.0", "cc-by-nc-sa-4.0"),
    ("cc-by-nc-4.0", "cc-by-nc-sa-4.0"),
    ("cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"),
    ("lgpl-3.0", "gpl-3.0"),
    ("lgpl-3.0", "agpl-3.0"),
    ("gpl-3.0", "agpl-3.0"),
}
# Such names say nothing of the terms.
NAMELESS = ("other", "unknown", "")


def joined(licences: Mapping[str, str]) -> str:
    """Return the licence under which all may be published together.

    Args:
        licences: name of each model -> its licence, by the hub's name for it.

    Raises:
        InputError: a licence is not known, or no one of them suits the others.

    >>> joined({"openai/whisper-base": "apache-2.0", "me/es": "cc-by-sa-4.0"})
    'cc-by-sa-4.0'
    """
    for model, licence in licences.items():
        if licence in NAMELESS:
            raise InputError(
                f"{model}: its licence is not known, so there is none for what is made "
                "of it: ask its author, then say --license NAME."
            )
    found = sorted(set(licences.values()))
    for licence in found:
        if all(_may_be_under(other, licence) for other in found):
            return licence
    said = ", ".join(f"{model}: {licence}" for model, licence in licences.items())
    raise InputError(
        f"the licences must go together; these do not, or are not known here ({said}): "
        "leave a model out, or ask its author and say --license NAME."
    )


def _may_be_under(part: str, whole: str) -> bool:
    """Return whether what is under one licence may be changed and published so."""
    if "-nd" in part:
        return False  # no derivatives
    if part == whole or (part, whole) in ONE_WAY:
        return True
    if part not in PERMISSIVE:
        return False
    if whole in PERMISSIVE:
        return PERMISSIVE.index(part) <= PERMISSIVE.index(whole)
    return whole in PASSED_ON
