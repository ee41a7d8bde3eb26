r"""Coefficients learned by gradient: a weight of each expert, in each layer.

.. math:: \theta = \theta_0 + \sum_i \lambda_{i,g} (\theta_i - \theta_0)

for the tensors of group g, with the :math:`\lambda` that Adam finds for the mean loss
of some development sets, or for the mean entropy of what the decoder predicts.

Source: Yang et al., *AdaMerging: Adaptive Model Merging for Multi-Task Learning*, ICLR
2024, Sec. 3.2, https://arxiv.org/abs/2310.02575: task-wise where the group is the whole
model, layer-wise where it is a tensor, as in the authors' code, or a layer [paper].
Departures from it: the loss of references is an objective, too [ours]. The entropy is
that of a decoder, which needs a text: the merge that learning starts from decodes one,
once [ours]. The learning rate falls to 0, which takes out the noise of the last batches
[ours]; it is 0.01 at first and there are 300 steps, where the authors take 0.001 and
500 [ours]. Development data is used, and test data refused; the authors adapt to the
test data [ours].
"""

import hashlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm
from transformers import WhisperForConditionalGeneration, WhisperTokenizer

from espnet_merge.decode.expert import load_expert
from espnet_merge.decode.mode import digests_of
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.torch_backend import TorchBackend
from espnet_merge.disk.atomic import check_output, whole_file
from espnet_merge.errors import InputError
from espnet_merge.files import MERGE_YAML
from espnet_merge.merging.inputs import Inputs
from espnet_merge.merging.loop import opened
from espnet_merge.merging.merge import Merge
from espnet_merge.merging.planned import PlannedMerge
from espnet_merge.methods import build_method
from espnet_merge.search.curve import write_picture
from espnet_merge.search.descent import descend
from espnet_merge.search.examples import drawn, with_own_texts, with_references
from espnet_merge.search.found import LEARNED_JSON, MODEL, Learned
from espnet_merge.search.gradient import gradient
from espnet_merge.search.groups import groups_of
from espnet_merge.search.learn_settings import LearnSettings
from espnet_merge.search.model import TrialModel
from espnet_merge.search.objective import ENTROPY, LOSS, Losses
from espnet_merge.statistics.utterances import Target, data_digest
from espnet_merge.whisper.prompt import load_tokenizer

# The method that takes the weights.
METHOD = "task_arithmetic"

type Examples = Mapping[Path, Sequence[Target]]


@dataclass(frozen=True, kw_only=True)
class Learning:
    """Learning that is ready to begin.

    Args:
        output: directory of what is learned, and of the model.
        shared: what all merges share, as ``Merge`` takes it.
        data: development sets.
        model: Hugging Face directory of the base.
        decoding: how the encoder's input is padded, and how many utterances pass the
            network together, which is what memory depends on.
        settings: what is learned, and how long.
        jobs: number of threads that merge.
        device: where the network runs.

    Raises:
        InputError: the network is to have another type than float32.
    """

    output: Path
    shared: Mapping[str, Any]
    data: Sequence[Path]
    model: Path
    decoding: Settings
    settings: LearnSettings
    jobs: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.decoding.dtype != "float32":
            raise InputError(
                f"dtype must be float32 where gradients are needed; got"
                f" {self.decoding.dtype}: leave it out of the decoding's file."
            )

    def run(self) -> Learned:
        """Learn, and write what was learned.

        Raises:
            InputError: inputs do not belong together, data is bad, a loss is not
                finite, or another merge is in ``output``.
        """
        check_output(
            self.output / MODEL, overwrite=self.shared["overwrite"], mark=MERGE_YAML
        )
        torch.set_num_threads(self.decoding.threads)
        start = self._weights()
        merge = self._planned(METHOD, self._params(start))
        with opened([merge], self.jobs, "cpu") as (inputs, (record, *_)):
            whisper = load_expert(self.model, device=self.device)
            model = TrialModel(whisper, inputs, self._planned)
            model.become(METHOD, self._params(start))
            content = self._learned(model, inputs, start)
        known = {k: record[k] for k in ("base", "experts", "dtype", "compute_dtype")}
        return self._written({**known, **content})

    def _learned(
        self, model: TrialModel, inputs: Inputs, weights: torch.Tensor
    ) -> dict[str, Any]:
        """Learn the weights, in place; return the content of the record."""
        examples = self._examples(model.whisper)
        measure = ENTROPY if self.settings.objective == "entropy" else LOSS
        objective = Losses(examples, {}, self.decoding, self._tokenizer, measure)
        before = objective(model.whisper)
        started = time.monotonic()
        curve = self._curve(model, inputs, weights, objective, examples)
        seconds = time.monotonic() - started
        model.become(METHOD, self._params(weights))
        print(
            f"{len(curve)} steps took {seconds:.1f} s, {seconds / len(curve):.2f} s"
            " each.",
            file=sys.stderr,
        )
        return {
            **asdict(self.settings),
            "data": [
                {
                    "path": str(path),
                    **digests_of([target.utterance for target in targets]),
                    "ids_sha256": data_digest(targets),
                }
                for path, targets in examples.items()
            ],
            "padding": self.decoding.padding._asdict(),
            "goal": next(iter(objective.sets)).name,
            "start": before[0],
            "end": objective(model.whisper)[0],
            "curve": curve,
            "weights": dict(zip(self._groups, weights.tolist(), strict=True)),
        }

    def _curve(
        self,
        model: TrialModel,
        inputs: Inputs,
        weights: torch.Tensor,
        objective: Losses,
        examples: Examples,
    ) -> list[float]:
        """Change the weights step by step; return the objective before each."""
        asked = self.settings
        draws = drawn(examples, asked.step_size, asked.seed)

        def measure(weights: torch.Tensor) -> tuple[float, torch.Tensor]:
            model.become(METHOD, self._params(weights))
            model.whisper.zero_grad()
            value = backward(model.whisper, objective, next(draws))
            parameters = model.whisper.named_parameters()
            gradients = {name: parameter.grad for name, parameter in parameters}
            found = gradient(inputs, gradients, [*self._groups.values()])
            return value, torch.from_numpy(found)

        steps = descend(weights, measure, asked.steps, asked.lr)
        return [*tqdm(steps, "learn", asked.steps, unit="step", disable=None)]

    def _examples(self, whisper: WhisperForConditionalGeneration) -> Examples:
        if self.settings.objective == "loss":
            return with_references(
                self.data, self._tokenizer, self.model, self.decoding
            )
        with torch.inference_mode():
            backend = TorchBackend(whisper, self._tokenizer, self.decoding)
            return with_own_texts(self.data, backend)

    def _written(self, content: Mapping[str, Any]) -> Learned:
        """Write the record, the picture, and the model."""
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        with whole_file(self.output / LEARNED_JSON) as part:
            part.write_text(text, "utf-8")
        write_picture(self.output, content)
        digest = hashlib.sha256(text.encode()).hexdigest()
        params = self._params([*content["weights"].values()])
        merge = replace(
            self._planned(METHOD, params), notes={"learned": {"sha256": digest}}
        )
        PlannedMerge(merge=merge, jobs=self.jobs).run()
        return Learned(self.output, content)

    @cached_property
    def _groups(self) -> dict[str, list[str]]:
        return groups_of(self.shared["base"].floats, self.settings.groups)

    @cached_property
    def _tokenizer(self) -> WhisperTokenizer:
        return load_tokenizer(self.model)

    def _weights(self) -> torch.Tensor:
        """Return the weights to begin with, (groups, experts)."""
        experts = len(self.shared["experts"])
        asked = self.settings.first
        first = 1 / experts if asked is None else asked
        return torch.full((len(self._groups), experts), first, dtype=torch.float64)

    def _params(self, weights: "torch.Tensor | list[list[float]]") -> dict[str, Any]:
        """Return the parameters of the merge that has these weights."""
        rows = weights.tolist() if isinstance(weights, torch.Tensor) else weights
        return {"scale": 1.0, "weights": dict(zip(self._groups, rows, strict=True))}

    def _planned(self, method: str, params: Mapping[str, Any]) -> Merge:
        """Return a merge of these inputs; that of an earlier call may be replaced."""
        built = build_method(method, params)
        shared = {**self.shared, "overwrite": True}
        return Merge(method=built, output=self.output / MODEL, **shared)


def backward(
    whisper: WhisperForConditionalGeneration,
    objective: Losses,
    draw: Sequence[Sequence[Target]],
) -> float:
    """Add the gradient of the mean over sets to that of the network; return the mean.

    Args:
        whisper: the network.
        objective: what is measured.
        draw: utterances of each set.

    Raises:
        InputError: the mean is not finite.
    """
    total = 0.0
    for targets in draw:
        for part in objective.parts(whisper, targets):
            own = part / len(draw)
            own.backward()  # type: ignore[no-untyped-call]
            total += own.item()
    if not torch.isfinite(torch.tensor(total)):
        raise InputError(
            f"the objective must be finite; got {total}: take a smaller learning rate,"
            " or look at the experts."
        )
    return total
