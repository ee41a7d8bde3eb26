#!/usr/bin/env python3
"""Compare a search with a full grid of as many trials, and with the defaults.

    benchmarks/grids.py --expdir exp --dumpdir dump/raw --output WORK --trials 12 \
        --save results/grids.json
    benchmarks/grids.py --load results/grids.json

Any recipe's directory: experts EXPDIR/full_NAME, development sets DUMPDIR/NAME_valid,
test sets DUMPDIR/NAME_test. Coefficients of each method are chosen on development
data alone; default, grid and search then decode the test sets. Prints the mean error
rate over the test sets, and differences with 95 % intervals of the paired bootstrap. A
killed run goes on where it was, and --save is written anew after each method.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import espnet_merge as em
from espnet_merge.checkpoint.padding import PUBLISHED, common_padding
from espnet_merge.decode.settings import Settings
from espnet_merge.disk.atomic import whole_file
from espnet_merge.score.sample import Counted, Sample, counted
from espnet_merge.search.found import SEARCH_JSON
from espnet_merge.search.sets import Sets, read_sets
from espnet_merge.whisper.model import load_whisper

SPACES = Path(__file__).parents[1] / "conf" / "search"
METHODS = ("task_arithmetic", "ties", "tsv_m", "boosted_tsv_m", "lors")
DEFAULT, GRID, SEARCH = "default", "grid", "search"
SAMPLERS = {GRID: "grid", SEARCH: "tpe"}
# Of the best by loss, which does not see texts that loop, so many are decoded.
CHECKED = 3
# What the choice depends on; of another one nothing in --output is used.
OPTIONS = ("trials", "objective", "dev", "test", "seed", "kind")


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--expdir", type=Path, help="of a recipe, with base and experts")
    add("--dumpdir", type=Path, help="of the recipe, with its data")
    add("--output", type=Path, help="for searches, models and texts; kept")
    add("--kind", default="full", help="of the experts")
    add("--spaces", nargs="+", default=METHODS, help="names in conf/search")
    add("--trials", type=int, default=12, help="of search and of grid")
    add("--objective", choices=("wer", "loss"), default="wer")
    add("--dev", type=int, help="utterances of each development set; all")
    add("--test", type=int, help="utterances of each test set; all")
    add("--seed", type=int, default=0)
    add("--save", type=Path, help="file of counts, from which the table is made")
    add("--load", type=Path, help="make the table of a file alone")
    args = parser.parse_args(words)
    if args.load:
        print(table(json.loads(args.load.read_bytes())))
        return
    if not (args.expdir and args.dumpdir and args.output):
        parser.error("--expdir, --dumpdir and --output are needed, or --load.")
    content = compared(args)
    print(table(content))


def compared(args: argparse.Namespace) -> dict[str, Any]:
    """Choose, decode and count, method by method."""
    options = {name: getattr(args, name) for name in OPTIONS}
    known = args.output / "options.json"
    if known.exists() and json.loads(known.read_bytes()) != options:
        sys.exit(f"{known}: made with other options; give another --output.")
    args.output.mkdir(parents=True, exist_ok=True)
    write(known, options)
    experts = sorted(args.expdir.glob(f"{args.kind}_*/model"))
    names = [path.parent.name.removeprefix(f"{args.kind}_") for path in experts]
    inputs = {"base": args.expdir / "base", "experts": experts}
    dev = [args.dumpdir / f"{name}_valid" for name in names]
    padding = common_padding(experts) or PUBLISHED
    tests = read_sets(
        [args.dumpdir / f"{name}_test" for name in names],
        [],
        inputs["base"],
        Settings(**padding._asdict()),
        args.test,
    )
    content = {**options, "experts": names, "methods": {}}
    for name in args.spaces:
        content["methods"][name] = method(args, name, inputs, dev, tests)
        if args.save:
            args.save.parent.mkdir(parents=True, exist_ok=True)
            write(args.save, content)
    return content


def method(
    args: argparse.Namespace,
    name: str,
    inputs: Mapping[str, Any],
    dev: Sequence[Path],
    tests: Sets,
) -> dict[str, Any]:
    """Return what was chosen for a method, and the errors on the test sets."""
    work = args.output / name
    texts, chosen = {}, {}
    for system in (DEFAULT, GRID, SEARCH):
        file = work / f"{system}.json"
        if not file.exists():
            model = made(args, work / system, name, system, inputs, dev)
            write(file, decoded(model, tests))
        texts[system] = json.loads(file.read_bytes())
        if system != DEFAULT:
            found = json.loads((work / system / SEARCH_JSON).read_bytes())
            best = found["trials"][found["best"]]
            goal, *_ = found["checked_goals"] or found["goals"]
            chosen[system] = {
                "trials": len(found["trials"]),
                "goal": goal["name"],
                "first": score(found["trials"][0]),
                "best": score(best),
                "values": best["values"],
            }
    sets = {}
    for path, one in tests.data.items():
        own = counted(one.references, texts, "basic", one.metric)
        sets[path.name] = {"tokens": own.tokens.tolist(), "errors": own.errors.tolist()}
    return {"chosen": chosen, "systems": list(texts), "sets": sets}


def score(trial: Mapping[str, Any]) -> float:
    """Return the error rate of a trial if it was decoded, else its loss."""
    values: Sequence[float] = trial.get("checked", trial["scores"])
    return values[0]


def made(
    args: argparse.Namespace,
    output: Path,
    name: str,
    system: str,
    inputs: Mapping[str, Any],
    dev: Sequence[Path],
) -> Path:
    """Make a merge: by its defaults, or with coefficients that are chosen."""
    print(f"{name}, {system}", file=sys.stderr, flush=True)
    if system == DEFAULT:
        em.merge(method=name, output=output, overwrite=True, jobs=1, **inputs)
        return output
    found = em.search(
        space=[SPACES / f"{name}.yaml"],
        data=dev,
        objective=args.objective,
        check=CHECKED if args.objective == "loss" else 0,
        trials=args.trials,
        utterances=args.dev,
        sampler=SAMPLERS[system],
        seed=args.seed,
        output=output,
        jobs=1,
        **inputs,
    )
    return found.model


def decoded(model: Path, tests: Sets) -> dict[str, str]:
    """Return the text of each utterance of all sets."""
    whisper, rates = load_whisper(model), tests.error_rates("basic")
    texts: dict[str, str] = {}
    for path in tests.data:
        texts |= rates.texts(whisper, path)
    return texts


def write(path: Path, content: Any) -> None:
    with whole_file(path) as part:
        part.write_text(json.dumps(content, ensure_ascii=False) + "\n", "utf-8")


def table(content: Mapping[str, Any]) -> str:
    """Return the table in Markdown, with a line on what was compared."""
    head = ["method", *(f"{x}, test" for x in (DEFAULT, GRID, SEARCH))]
    head += [f"{x}, dev" for x in (DEFAULT, GRID, SEARCH)]
    head += ["search − grid, test", "search − default, test"]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    for name, own in content["methods"].items():
        sample = sampled(own)
        chosen = own["chosen"]
        scores = (
            chosen[SEARCH]["first"],
            chosen[GRID]["best"],
            chosen[SEARCH]["best"],
        )
        tests = [f"{sample.rate(x).value:.1f}" for x in (DEFAULT, GRID, SEARCH)]
        differences = [str(sample.difference(SEARCH, x)) for x in (GRID, DEFAULT)]
        rows.append([name, *tests, *(f"{x:.4g}" for x in scores), *differences])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", described(content)])


def sampled(own: Mapping[str, Any]) -> Sample:
    """Return the errors of a method's systems on the test sets."""
    counts = {
        name: Counted(np.array(one["tokens"]), np.array(one["errors"]))
        for name, one in own["sets"].items()
    }
    return Sample(own["systems"], counts)


def described(content: Mapping[str, Any]) -> str:
    """Say how much data there was, and how many trials."""
    first = next(iter(content["methods"].values()))
    tests = ", ".join(f"{len(x['tokens'])} of {k}" for k, x in first["sets"].items())
    dev = content["dev"] or "all"
    grids = ", ".join(
        f"{name} {own['chosen'][GRID]['trials']}"
        for name, own in content["methods"].items()
    )
    goal = f"{content['objective']} ({first['chosen'][SEARCH]['goal']})"
    return (
        f"Chosen by {goal} on {dev} utterances of each of"
        f" {len(content['experts'])} development sets; {content['trials']} trials of"
        f" the search (points of the grid: {grids}), seed {content['seed']}. Decoded:"
        f" {tests}."
    )


if __name__ == "__main__":
    main()
