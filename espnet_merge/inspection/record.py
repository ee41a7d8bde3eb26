"""An inspection as JSON: every number, what it means, and the limits of warnings."""

import math
from typing import Any

import numpy as np

from espnet_merge.inspection import advice
from espnet_merge.inspection.inspection import Cell, Inspection
from espnet_merge.inspection.moments import Moments
from espnet_merge.inspection.spectrum import Spectrum
from espnet_merge.version import __version__


def record(inspection: Inspection) -> dict[str, Any]:
    """Return the inspection as lists and numbers; null where nothing is known."""
    return {
        "version": __version__,
        "base": inspection.base,
        "experts": list(inspection.experts),
        "labels": list(inspection.labels),
        "rank": inspection.rank,
        "definitions": definitions(),
        "limits": {
            "spreads": advice.DEVIATIONS,
            "cosine": advice.CLASH,
            "conflict": advice.CONFLICT,
            "same": advice.SAME,
            "dominant": advice.DOMINANT,
        },
        "warnings": advice.advise(inspection),
        "total": _cell(inspection.total),
        "cells": [
            {**place._asdict(), **_cell(cell)}
            for place, cell in inspection.cells.items()
        ],
    }


def definitions() -> dict[str, str]:
    """Return what each number of a cell is."""
    spectrum = (Spectrum.__doc__ or "").partition("\n\n")[2].partition("Args:")[0]
    overlap = " ".join(spectrum.split())
    moments = {name: getattr(Moments, name).__doc__ for name in MOMENTS}
    return moments | {
        "stable_rank": "Sum of the squared singular values over the largest of them,"
        " averaged over the matrices.",
        "left": f"Left (output) side, averaged over the matrices. {overlap}",
        "right": "The same of the right (input) side.",
    }


# Properties of ``Moments`` that are written.
MOMENTS = (
    "norms",
    "relative",
    "cosine",
    "cosine_spread",
    "conflict",
    "conflict_spread",
    "weighted_conflict",
    "weighted_spread",
)
SPECTRUM = ("stable_rank", "left", "right", "left_random", "right_random")


def _cell(cell: Cell) -> dict[str, Any]:
    numbers = {name: getattr(cell.moments, name) for name in MOMENTS}
    numbers |= {name: cell.mean(name) for name in SPECTRUM if cell.spectra}
    return {name: _plain(value.tolist()) for name, value in numbers.items()}


def _plain(value: Any) -> Any:  # noqa: ANN401 - nested lists of numbers
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if math.isnan(value) else float(np.format_float_scientific(value, 6))
