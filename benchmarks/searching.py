#!/usr/bin/env python3
"""What a trial of a search costs: its merge, and the objective by WER and by loss.

    benchmarks/searching.py --base exp/base --experts exp/full_*/model \
        --data dump/raw/*_valid --utterances 8 --trials 5

In one process with one thread, seconds of CPU. Each trial of a real search by WER is
also measured by loss, with the silence of the decoding and without any, and by what
neither can save: reading the audio and one pass of the encoder. So all ratios are of
the same models and utterances. Prints the table of each trial, the ratios, memory
after each trial, and Spearman's rank correlations with the WER.
"""

import argparse
import math
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from scipy.stats import spearmanr

from espnet_merge.checkpoint.padding import PUBLISHED, common_padding
from espnet_merge.decode.batches import batches
from espnet_merge.decode.expert import load_expert
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.torch_backend import TorchBackend
from espnet_merge.merging.loop import opened as opened_for
from espnet_merge.merging.merge import Merge
from espnet_merge.merging.planned import opened
from espnet_merge.methods import build_method
from espnet_merge.search.model import TrialModel
from espnet_merge.search.sets import Sets, read_sets
from espnet_merge.search.space import read_space
from espnet_merge.search.study import Study

SPACES = Path(__file__).parents[1] / "conf" / "search"
# Trials of a search, by its default, and what they may cost of their decodings.
BUDGET, LIMIT = 50, 1.15
MERGE, WER, LOSS, SHORT, FLOOR = "merge", "WER", "loss", "loss, no silence", "encoder"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--base", type=Path, required=True)
    add("--experts", type=Path, nargs="+", required=True)
    add("--data", type=Path, nargs="+", required=True, help="development sets")
    add("--space", type=Path, default=SPACES / "tsv_m.yaml")
    add("--utterances", type=int, default=8, help="of each set, evenly spaced")
    add("--trials", type=int, default=5)
    add("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    seconds, scores, memory = measured(args)
    print(table(seconds, scores, memory))
    print(ratios(seconds, args.utterances * len(args.data)))
    print(correlations(scores))


def measured(args: argparse.Namespace) -> tuple[list[dict], list[dict], list[float]]:
    """Return seconds of CPU, scores, and peak memory in MB after each trial."""
    padding = common_padding(args.experts) or PUBLISHED
    settings = Settings(**padding._asdict())
    sets = read_sets(args.data, [], args.base, settings, args.utterances)
    objectives: dict[str, Callable[..., Any]] = {
        WER: sets.error_rates("basic"),
        LOSS: sets.losses(),
        SHORT: replace(sets, settings=replace(settings, pad_to=0.0, tail=0.0)).losses(),
        FLOOR: lambda whisper: encode(whisper, sets),
    }
    shared = opened(args.base, args.experts)
    space = read_space(args.space, len(args.experts), {})

    def planned(method: str, params: Mapping[str, Any]) -> Merge:
        built = build_method(method, params)
        return Merge(method=built, output=Path(".never"), **shared)

    seconds, scores, memory = [], [], []
    first = planned(space.method, space.filled(lambda _, one: one.ends[0]))
    with tempfile.TemporaryDirectory() as work, opened_for([first], 1, "cpu") as found:
        model = TrialModel(load_expert(args.base), found[0], planned)

        def trial(_: str, params: Mapping[str, Any]) -> list[float]:
            costs, values = {}, {}
            costs[MERGE], _ = timed(partial(model.become, space.method, params))
            for name, objective in objectives.items():
                costs[name], values[name] = timed(partial(objective, model.whisper))
            seconds.append(costs)
            scores.append({name: own[0] for name, own in values.items() if own})
            memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
            return values[WER]

        Study(
            directory=Path(work),
            spaces={args.space.stem: space},
            goals=list(objectives[WER].sets),
            record={},
            seed=args.seed,
        ).run(trial, args.trials)
    return seconds, scores, memory


def timed[T](call: Callable[[], T]) -> tuple[float, T]:
    """Return seconds of CPU, of user and system, and what a call returns."""
    start = time.process_time()
    found = call()
    return time.process_time() - start, found


@torch.inference_mode()
def encode(whisper: Any, sets: Sets) -> None:
    """Read and encode all utterances, as both objectives must."""
    backend = TorchBackend(whisper, sets.tokenizer, sets.settings)
    for one in sets.data.values():
        for batch in batches(one.utterances, sets.settings.batch_size):
            backend.encode(batch)


def table(
    seconds: Sequence[Mapping[str, float]],
    scores: Sequence[Mapping[str, float]],
    memory: Sequence[float],
) -> str:
    names, valued = list(seconds[0]), list(scores[0])
    head = ["trial", *(f"{name}, s" for name in names), *valued, "peak memory, MB"]
    rows = [head, ["---:"] * len(head)]
    for number, (costs, values, peak) in enumerate(
        zip(seconds, scores, memory, strict=True), 1
    ):
        told = [f"{costs[name]:.2f}" for name in names]
        told += [f"{values[name]:.4g}" for name in valued]
        rows.append([str(number), *told, f"{peak:.0f}"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def ratios(seconds: Sequence[Mapping[str, float]], utterances: int) -> str:
    """Return what a search of BUDGET trials costs, of its decodings; and of the loss.

    The first merge is dearer than the others, which are taken at their mean. A merge
    that loops is decoded for long, so that the median is told beside the mean.

    Args:
        seconds: of each trial, by what is measured.
        utterances: number of them in a trial.
    """
    first, *others = (costs[MERGE] for costs in seconds)
    merging = first + (BUDGET - 1) * statistics.fmean(others or [first])
    lines = []
    for average in (statistics.fmean, statistics.median):
        cost = {name: average(x[name] for x in seconds) for name in seconds[0]}
        decoding = BUDGET * cost[WER]
        ratio = 1 + merging / decoding
        enough = math.ceil(round(utterances * (ratio - 1) / (LIMIT - 1), 6))
        told = [
            f"{cost[WER] / cost[name]:.1f} x {name}" for name in (LOSS, SHORT, FLOOR)
        ]
        lines += [
            f"{average.__name__} of {len(seconds)} trials:",
            f"- {BUDGET} trials by WER: {ratio:.2f} of their decodings of {utterances}"
            f" utterances; at most {LIMIT} from {enough} utterances on",
            f"- decoding: {', '.join(told)}",
        ]
    return "\n".join(lines)


def correlations(scores: Sequence[Mapping[str, float]]) -> str:
    """Return Spearman's rank correlation of each loss with the WER, over the trials."""
    errors = [values[WER] for values in scores]
    told = [
        f"{name} {spearmanr([values[name] for values in scores], errors)[0]:.2f}"
        for name in (LOSS, SHORT)
    ]
    return f"rank correlation with the WER of {len(scores)} trials: {', '.join(told)}"


if __name__ == "__main__":
    main()
