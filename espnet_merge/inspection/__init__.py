"""How far experts moved, and how much they stand in each other's way."""

from espnet_merge.inspection.inspection import Cell, Inspection, measure
from espnet_merge.inspection.place import Place, labels

__all__ = ["Cell", "Inspection", "Place", "labels", "measure"]
