"""The models of trials: made in memory, one after another, in one network."""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import torch
from transformers import WhisperForConditionalGeneration

from espnet_merge.checkpoint.dtypes import FLOATS, to_float
from espnet_merge.merging.inputs import Inputs
from espnet_merge.merging.loop import merged
from espnet_merge.merging.merge import Merge

# What was computed of a tensor and is kept, the latest: of TSV-M the decorrelated
# directions, which are about as large as two of its matrices in float64.
KEPT = 4


class Recent(OrderedDict[Hashable, Any]):
    """A dictionary that forgets all but the ``KEPT`` values that were used last."""

    def __getitem__(self, key: Hashable) -> Any:  # noqa: ANN401
        self.move_to_end(key)
        return super().__getitem__(key)

    def __setitem__(self, key: Hashable, value: Any) -> None:  # noqa: ANN401
        super().__setitem__(key, value)
        while len(self) > KEPT:
            self.popitem(last=False)


class TrialModel:
    """A network whose weights become those of one merge after another.

    What methods compute of the experts alone, such as singular vectors, is kept from
    one merge to the next.

    Args:
        whisper: the base, loaded.
        inputs: base and experts, opened.
        planned: makes a merge of a method and its parameters, all of the same inputs.
    """

    def __init__(
        self,
        whisper: WhisperForConditionalGeneration,
        inputs: Inputs,
        planned: Callable[[str, Mapping[str, Any]], Merge],
    ) -> None:
        self.whisper = whisper
        self._inputs, self._planned = inputs, planned
        self._kept: defaultdict[str, Recent] = defaultdict(Recent)

    @torch.no_grad()
    def become(self, method: str, params: Mapping[str, Any]) -> None:
        """Merge into the network: to the bit what ``merge`` writes.

        Raises:
            InputError: a value does not suit, or a weight overflows.
        """
        merge = self._planned(method, params)
        own = self._inputs
        # New ones, for they keep what each method has found in its statistics pass.
        inputs = Inputs(own.base, own.experts, own.compute, own.device, own.workers)
        weights = self.whisper.state_dict()
        filled: Counter[str] = Counter()
        steps = merged(inputs, [merge], inputs.names, self._kept.__getitem__)
        for parts in inputs.workers.map(lambda step: step(), steps):
            for _, name, bits in parts:
                values = to_float(bits, FLOATS[merge.dtype], "float32")
                start, end = filled[name], filled[name] + bits.size
                flat = weights[name].view(-1)
                flat[start:end] = torch.from_numpy(values)
                filled[name] = end
