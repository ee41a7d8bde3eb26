"""SA-Merge: mix the attention of two experts, layer by layer."""

import re
from dataclasses import dataclass
from typing import ClassVar

from espnet_merge.arrays import Array, ByExpert, Float
from espnet_merge.methods._base import NO_INFO, Method, TensorInfo, check_range

# Query, key and value of Hugging Face, OpenAI and ESPnet names.
QUERY_KEY_VALUE = re.compile(r"attn.*\.([qkv]_proj|query|key|value|linear_[qkv])\.")


@dataclass(frozen=True, kw_only=True)
class SelectiveAttention(Method):
    r"""Mix the attention of two experts, and take all else from the first.

    .. math::
        \Delta^{(l)} = \lambda_l \tau_1^{(l)} + (1 - \lambda_l) \tau_2^{(l)}, \quad
        \lambda_l = \lambda^{\alpha_l}, \quad \alpha_l = \alpha \, l

    for the weights of query, key and value: the first layer is the first expert's,
    deeper layers come more and more from the second.

    Source: Shankar et al., *Selective Attention Merging for low resource tasks*, ICASSP
    2025, https://arxiv.org/abs/2501.08468: the first expert knows the task (speech of
    children), the second more speech (of adults); :math:`\lambda^{\alpha_l}` [paper,
    code].
    Departures from it: the authors set each :math:`\alpha_l` by hand, here it grows
    with the layer, counted from 0 in encoder and decoder apart; biases go with their
    weights [ours]. What is not query, key or value comes from the first expert, as the
    comment in the authors' code says; its index points at the second.

    Args:
        ratio: :math:`\lambda`, in (0, 1], to be tuned; 0.9 [ours].
        decay: :math:`\alpha`, >= 0, to be tuned; 1 [ours]. 0 keeps the first expert.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import numpy as np
        >>> query = TensorInfo(name="encoder.layers.1.self_attn.q_proj.weight", layer=1)
        >>> SelectiveAttention(ratio=0.75)(np.array([[4.0], [0.0]]), query).tolist()
        [3.0]
    """

    min_experts: ClassVar[int] = 2
    max_experts: ClassVar[int | None] = 2

    ratio: float = 0.9
    decay: float = 1.0

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_range("ratio", self.ratio, 0, 1, open_low=True)
        check_range("decay", self.decay, 0, float("inf"))

    def __call__(
        self, deltas: ByExpert, info: TensorInfo = NO_INFO, /
    ) -> Float[Array, "*shape"]:
        """Merge ``deltas[0]`` and ``deltas[1]``, experts minus base."""
        first, second = deltas
        weight = 1.0
        if info.layer is not None and QUERY_KEY_VALUE.search(info.name):
            weight = self.ratio ** (self.decay * info.layer)
        return weight * first + (1 - weight) * second
