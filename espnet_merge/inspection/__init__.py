"""How far experts moved from their base, and where they conflict."""

from espnet_merge.inspection.inspection import Cell, Inspection, measure
from espnet_merge.inspection.place import Place, labels

__all__ = ["Cell", "Inspection", "Place", "labels", "measure"]
