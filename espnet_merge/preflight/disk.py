"""The disk that the systems of a run will take, and what is free."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from espnet_merge.installation import Finding
from espnet_merge.tasks.rehearsal import Rehearsal

# Bytes for each weight that is kept as float32, and for each with AdamW's two moments.
WEIGHT, STATE = 4, 12
MADE = ".done"  # beside what a recipe has finished


def free_disk(
    expdir: Path,
    systems: Mapping[str, Sequence[str]],
    rehearsals: Mapping[str, Rehearsal],
    weights: int,
) -> Finding:
    """Return whether the systems that are not made yet fit onto the disk.

    Args:
        expdir: directory of the systems.
        systems: kind of training, or any other name for merges -> their names.
        rehearsals: kind of training -> what it would do.
        weights: number of weights of the base.
    """
    needed, lines = 0, []
    for kind, names in systems.items():
        missing = [name for name in names if not (expdir / name / MADE).exists()]
        each = WEIGHT * weights
        if kind in rehearsals:
            each = of_training(rehearsals[kind])
        if missing:
            lines.append(f"{len(missing)} {kind} of {gigabytes(each)}")
        needed += each * len(missing)
    free = shutil.disk_usage(expdir).free
    detail = f"{gigabytes(free)} free, {gigabytes(needed)} needed"
    detail += f" ({', '.join(lines)})" if lines else ""
    if needed > free:
        remedy = "free some, choose another --expdir, or name fewer systems"
        return Finding("disk", "wrong", detail, remedy)
    return Finding("disk", "ok", detail)


def of_training(one: Rehearsal) -> int:
    """Return the bytes that a training leaves, and has while it runs.

    These are the models of the best epochs, their average, the export, and two
    checkpoints with the optimizer's state.
    """
    saved = one.learnt if one.learnt < one.weights / 2 else one.weights
    return (one.kept + 2) * WEIGHT * saved + 2 * (WEIGHT * saved + 8 * one.learnt)


def gigabytes(count: float) -> str:
    """Return a number of bytes in words.

    >>> gigabytes(29_300_000_000), gigabytes(4_200_000)
    ('29.3 GB', '4 MB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"
