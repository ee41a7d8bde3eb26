"""TSV-M: concatenate the leading singular vectors of the tasks and decorrelate them."""

from dataclasses import dataclass
from typing import Literal

from espnet_merge.arrays import Array, ByExpert, Float, Float64, Matrices
from espnet_merge.checkpoint.factored import Factored
from espnet_merge.linalg.backend import library, like
from espnet_merge.methods._align import Aligned, align, align_tall, is_tall, left
from espnet_merge.methods._base import (
    ElementwiseMerge,
    Scope,
    Stream,
    TensorInfo,
    TwoPass,
    check_range,
)
from espnet_merge.methods._rounding import floors
from espnet_merge.methods._spectral import Spectral


@dataclass(frozen=True, kw_only=True)
class TsvM(Spectral, TwoPass):
    r"""Keep the leading singular vectors of each task and orthogonalise them jointly.

    .. math::
        \tau_i \approx U_i S_i V_i^\top, \quad
        \hat U = [U_1 \dots U_n], \quad
        \Delta = \alpha \, \mathrm{polar}(\hat U) \, \mathrm{diag}(S_1 \dots S_n) \,
        \mathrm{polar}(\hat V)^\top

    Source: Gargiulo et al., *Task Singular Vectors*, CVPR 2025, Sec. 4.2,
    https://arxiv.org/abs/2412.00081, and the authors' code [code]: min(m, n') // n
    vectors a task; tensors that are not matrices take the mean of the task vectors.
    Departures from it [ours]: embeddings take the mean too (``spectral="linear"``).
    Directions below 1e-5 of the largest singular value over the tasks are dropped
    first, and so are those of a task that may be rounding to the type of its file:
    singular values up to :math:`(\max_i \|W_{i:}\| + \max_j \|W_{:j}\|) \,
    u / \sqrt{8 \ln 2}`, with u :math:`2^{-24}` in F32, :math:`2^{-11}` in F16 and
    :math:`2^{-8}` in BF16 (:mod:`espnet_merge.linalg.rounding`). The rank that this
    frees is shared: with budget k n, each task keeps min(rank, L) for the largest L
    within budget. Directions in which the columns
    coincide (singular value below 1e-6) are dropped from the polar factor. The
    published rule lets arbitrary null vectors in there; this one is a function of its
    input. Full-rank tasks in general position are not affected. ``newton_schulz`` is
    the five-step schedule of BoostedTSV-M (https://arxiv.org/abs/2603.05354)
    [paper; coefficients ours], exact to about 5 %.

    Args:
        scale: :math:`\alpha`, no unit, finite; 1 in the paper.
        spectral: Which tensors are decomposed: weights of attention and feed-forward
            (``linear``), or every matrix not named text_projection (``all_2d``).
        orthogonalise: The polar factor, ``svd`` or ``eigh``, which are computed in
            one way, or its approximation ``newton_schulz``.
        rank_fraction: Fraction of the full rank kept for a task, in (0, 1]; 1/n by
            default. Above 1/n the columns cannot stay orthonormal: tune scale again.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import numpy as np
        >>> abs(TsvM()([np.diag([2.0, 0.0]), np.diag([0.0, 3.0])])).round(6)
        array([[2., 0.],
               [0., 3.]])
    """

    orthogonalise: Literal["svd", "eigh", "newton_schulz"] = "svd"
    rank_fraction: float | None = None

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        if self.rank_fraction is not None:
            check_range("rank_fraction", self.rank_fraction, 0, 1, open_low=True)

    @property
    def scope(self) -> Scope:
        """A tall matrix needs a pass over its rows."""
        return "tensor" if self.spectral == "all_2d" else "entry"

    def is_matrix(self, info: TensorInfo) -> bool:
        """Tell whether the tensor at ``info`` is decomposed, and held whole for it."""
        return self.decomposes(info) and not is_tall(info.shape)

    def merged(self, deltas: Matrices, info: TensorInfo) -> Factored:
        """Put the aligned directions together; ``info`` keeps them for other scales."""
        options = self.rank_fraction, self.orthogonalise
        tasks = info.memoise(
            ("tsv_m", *options),
            lambda: align(deltas, *options, floors(info, len(deltas))),
        )
        s = self._spectrum(tasks)
        return Factored(tasks.u * like(s, tasks.u), tasks.v.T, 1.0)

    def statistics_pass(self, stream: Stream) -> ElementwiseMerge:
        """Align the directions of a tall matrix; other tensors need no pass."""
        info, _ = next(iter(stream))
        if not self.decomposes(info):
            return self
        options = self.rank_fraction, self.orthogonalise
        tasks = info.memoise(("tall", *options), lambda: align_tall(stream, *options))
        core = self.scale * (tasks.u * self._spectrum(tasks)) @ tasks.v.T

        def merge(deltas: ByExpert, info: TensorInfo) -> Float[Array, "*shape"]:
            return like(left(deltas, info, tasks.bases) @ core, deltas[0]).ravel()

        return merge

    def spectrum(self, s: Float64[Array, " rank"]) -> Float64[Array, " rank"]:
        """Return what replaces the singular values ``s`` of a task, all of them."""
        return s

    def _spectrum(self, tasks: Aligned) -> Float64[Array, " kept"]:
        pairs = zip(tasks.spectra, tasks.ranks, strict=True)
        kept = [self.spectrum(s)[:rank] for s, rank in pairs]
        return library(tasks.u).concatenate(kept, 0)
