"""The arrays of the arithmetic, and how their types and shapes are written.

Annotations are jaxtyping's: ``Float[Array, "rows columns"]`` is a matrix of any float.
The tests check them at every call. Elsewhere they are notes, which import nothing:
jaxtyping takes longer to import than numpy does.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or "jaxtyping" in sys.modules:
    from jaxtyping import Bool as Bool
    from jaxtyping import Float as Float
    from jaxtyping import Float64 as Float64
    from jaxtyping import Int as Int
    from jaxtyping import UInt32 as UInt32
else:
    from typing import Annotated

    Bool = Float = Float64 = Int = UInt32 = Annotated

# What has a shape and a dtype: numpy.ndarray, torch.Tensor where ``Method.arrays`` says
# so, or Factored where it is taken.
Array = Any

# A number, Python's or an array's own.
type Number = float | Float[Array, ""]

# One array an expert, all of one shape: one after the other, or stacked.
type ByExpert = Sequence[Float[Array, "*shape"]] | Float[Array, " experts *shape"]
# The same of matrices.
type Matrices = (
    Sequence[Float[Array, "rows columns"]] | Float[Array, "experts rows columns"]
)
