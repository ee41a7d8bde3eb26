#!/usr/bin/env python3
"""Measure merges against the I/O floor and against peers.

Each job is a whole process with one BLAS thread; all that are compared run in turn,
round by round, and a ratio is the median of the ratios within the rounds. What was
measured is kept in WORK/results.json, and only what is missing there is run.

    benchmarks/peers.sh PEERS
    benchmarks/merging.py --work WORK --peers PEERS
"""

import argparse
import json
import shlex
import shutil
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from measure import measure
from synthetic import SIZES, write_adapters, write_models, write_statistics

from espnet_merge.methods import METHODS

type Costs = dict[str, float]
type Commands = Mapping[str, Sequence[str]]

HERE = Path(__file__).parent
PROJECT = Path(sys.executable).parent
# name in the tables -> method and parameters of ours
OURS = {name: (name,) for name in METHODS} | {
    "task_arithmetic": ("task_arithmetic", "scale=0.3"),
    "ties": ("ties", "density=0.2", "scale=0.3", "trim=tensor"),
    "ties_global": ("ties", "density=0.2", "scale=0.3", "trim=global"),
    "dare": ("dare", "density=0.1", "scale=0.3"),
    "tsv_m_all": ("tsv_m", "spectral=all_2d"),
}
# The same -> merge_method, parameters of a model, whether the base is needed.
MERGEKIT = {
    "soup": ("linear", {"weight": 1.0}, False),
    "task_arithmetic": ("task_arithmetic", {"weight": 0.3}, True),
    "ties": ("ties", {"weight": 0.3, "density": 0.2}, True),
    "dare": ("dare_linear", {"weight": 0.3, "density": 0.1}, True),
}
FUSION_BENCH = {
    "soup",
    "task_arithmetic",
    "ties",
    "dare",
    "tsv_m",
    "tsv_m_all",
    "iso_c",
}
FUSION_BENCH_AS = {"boosted_tsv_m": "tsv_m"}
# It flattens all experts: 11 GB for Whisper base, beyond 24 GB for medium.
HEAVY = {"ties"}
COMPARED = (
    "soup,task_arithmetic,dare,ties,ties_global,iso_c,tsv_m,tsv_m_all,boosted_tsv_m"
)
START_UP_ROUNDS = 10


@dataclass(frozen=True)
class Bench:
    """Where everything lies, and what has been measured."""

    work: Path
    peers: Path | None
    repeats: int
    heavy: bool

    @property
    def results(self) -> dict[str, list[dict[str, Costs]]]:
        path = self.work / "results.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def rounds(
        self, key: str, commands: Callable[[], Commands], repeats: int | None = None
    ) -> None:
        """Run the ``commands`` in turn, as often as they have not been run yet."""
        wanted = commands()
        for number in range(repeats or self.repeats):
            for name, command in wanted.items():
                results = self.results
                runs = results.setdefault(key, [])
                runs += [{}] * (number + 1 - len(runs))
                if name in runs[number]:
                    continue
                shutil.rmtree(self.output, ignore_errors=True)
                try:
                    costs = measure(command, self.work / "last.log")
                except RuntimeError as error:
                    print(f"{key}, {name}: {error}", file=sys.stderr)
                    continue
                print(
                    f"{key}, {name}: {costs['cpu']:.2f} s, {costs['anon']:.0f} MB",
                    flush=True,
                )
                runs[number] = {**runs[number], name: costs}
                self._save(results)
        shutil.rmtree(self.output, ignore_errors=True)

    def _save(self, results: dict[str, list[dict[str, Costs]]]) -> None:
        partial = self.work / "results.json.partial"
        partial.write_text(json.dumps(results, indent=1))
        partial.rename(self.work / "results.json")

    def models(self, size: str, dtype: str, count: int) -> list[Path]:
        paths = write_models(self.work / f"{size}-{dtype}", size, dtype, count)
        paths = paths[: count + 1]
        # The first merge of ours also hashes its inputs and compiles its loops, once.
        first = {"ours": self.ours("ties", paths, "--dtype", dtype)}
        self.rounds(f"first {size} {dtype} {count}", lambda: first, repeats=1)
        return paths

    def adapters(self, size: str, count: int) -> list[Path]:
        return write_adapters(self.work / f"{size}-adapters", size, count)[:count]

    @property
    def output(self) -> Path:
        return self.work / "output"

    def ours(
        self,
        method: str,
        models: Sequence[Path],
        *options: str,
        command: str = "merge",
        jobs: int = 1,
    ) -> list[str]:
        name, *params = OURS[method]
        if kind := getattr(METHODS[name], "statistics_kind", None):
            paths = write_statistics(models, kind)
            params.append(f"statistics=[{','.join(map(str, paths))}]")
        base, *experts = map(str, models)
        return [
            *(str(PROJECT / "espnet-merge"), command, "--method", name),
            *("--base", base, "--experts", *experts, "--output", str(self.output)),
            *(["--set", *params] if params else []),
            *("--jobs", str(jobs), *options),
        ]

    def floor(self, models: Sequence[Path]) -> list[str]:
        script = str(HERE / "run_floor.py")
        return [sys.executable, script, str(self.output), *map(str, models)]

    def peer(self, name: str, script: str, *words: object) -> dict[str, list[str]]:
        """Return the command of a peer; empty if it is not installed."""
        python = self.peers / name / "bin" / "python" if self.peers else None
        if python is None or not python.exists():
            return {}
        return {name: [str(python), str(HERE / script), *map(str, words)]}

    def mergekit(
        self, method: str, models: Sequence[Path], dtype: str
    ) -> dict[str, list[str]]:
        if method not in MERGEKIT:
            return {}
        name, parameters, based = MERGEKIT[method]
        base, *experts = map(str, models)
        config = {
            "merge_method": name,
            "models": [{"model": path, "parameters": parameters} for path in experts],
            "dtype": dtype,
        } | ({"base_model": base} if based else {})
        path = self.work / f"mergekit-{method}.yaml"
        path.write_text(json.dumps(config))
        return self.peer("mergekit", "run_mergekit.py", path, self.output)

    def fusion_bench(
        self, method: str, models: Sequence[Path], dtype: str
    ) -> dict[str, list[str]]:
        method = FUSION_BENCH_AS.get(method, method)
        if method not in FUSION_BENCH or (method in HEAVY and not self.heavy):
            return {}
        words = (method, dtype, self.output, *models)
        return self.peer("fusion_bench", "run_fusion_bench.py", *words)


def compare(bench: Bench, size: str, dtype: str, count: int, methods: str) -> str:
    """Measure methods against the floor and the peers."""
    rows = []
    for method in methods.split(","):
        key = f"{size} {dtype} {count} {method}"

        def commands(method: str = method) -> Commands:
            models = bench.models(size, dtype, count)
            ours = bench.ours(method, models, "--dtype", dtype)
            return {
                "floor": bench.floor(models),
                "start-up": [*ours, "--dry-run"],
                "ours": ours,
                **bench.mergekit(method, models, dtype),
                **bench.fusion_bench(method, models, dtype),
            }

        bench.rounds(key, commands)
        rows.append(_compared(method, bench.results.get(key, [])))
    return table(
        f"Whisper {size}, {dtype}, {count} experts: CPU seconds and, in brackets, peak"
        " anonymous memory in MB",
        "method | floor | ours | ours / floor | work / floor | mergekit"
        " | mergekit / ours | FusionBench | FusionBench / ours",
        rows,
    )


def _compared(method: str, runs: list[dict[str, Costs]]) -> list[str]:
    work = [
        (run["ours"]["cpu"] - run["start-up"]["cpu"]) / run["floor"]["cpu"]
        for run in runs
        if {"ours", "start-up", "floor"} <= run.keys()
    ]
    return [
        method,
        shown(runs, "floor"),
        shown(runs, "ours"),
        ratio(runs, "ours", "floor"),
        f"{statistics.median(work):.2f}×" if work else "–",
        shown(runs, "mergekit"),
        ratio(runs, "mergekit", "ours"),
        shown(runs, "fusion_bench"),
        ratio(runs, "fusion_bench", "ours"),
    ]


def adapters(bench: Bench, size: str, counts: Iterable[int]) -> str:
    """Measure merges of adapters against the same experts as models, and peft."""
    rows = []
    for count in counts:
        key = f"{size} adapters {count}"

        def commands(count: int = count) -> Commands:
            base = bench.models(size, "float32", 1)[0]
            some = [base, *bench.adapters(size, count)]
            dense = [base, *(_dense(bench, base, path) for path in some[1:])]
            peft = [sys.executable, str(HERE / "run_peft.py")]
            tail = [str(bench.output), *map(str, some)]
            side_by_side = ("--output-adapter", "exact")
            return {
                "tsv_m": bench.ours("tsv_m", some),
                "tsv_m, an adapter": bench.ours("tsv_m", some, *side_by_side),
                "tsv_m of models": bench.ours("tsv_m", dense),
                "FusionBench's tsv_m": bench.fusion_bench(
                    "tsv_m", dense, "float32"
                ).get("fusion_bench", []),
                "soup, exact": bench.ours("soup", some, *side_by_side),
                "soup, rank 32": bench.ours("soup", some, "--output-adapter", "32"),
                "soup, a model": bench.ours("soup", some),
                "peft cat": [*peft, "cat", *tail],
                "peft svd": [*peft, "svd", *tail],
            }

        bench.rounds(key, lambda get=commands: {k: v for k, v in get().items() if v})
        runs = bench.results.get(key, [])
        pairs = [
            ("tsv_m", "tsv_m of models"),
            ("tsv_m", "FusionBench's tsv_m"),
            ("tsv_m, an adapter", "FusionBench's tsv_m"),
            ("soup, exact", "peft cat"),
            ("soup, rank 32", "peft svd"),
            ("soup, a model", "peft cat"),
        ]
        rows += [
            [str(count), one, shown(runs, one), other, shown(runs, other),
             ratio(runs, other, one)]
            for one, other in pairs
        ]  # fmt: skip
    return table(
        f"LoRA experts of rank 32, Whisper {size}: CPU seconds and [MB]",
        "experts | adapters merged | cost | against | cost | ratio",
        rows,
    )


def _dense(bench: Bench, base: Path, adapter: Path) -> Path:
    """Return the model that the adapter makes of its base."""
    path = bench.work / f"{adapter.parent.name}-dense" / adapter.name
    if not path.exists():
        command = bench.ours("soup", [base, adapter])
        command[command.index("--output") + 1] = str(path)
        measure(command, bench.work / "last.log")
    return path


def memory(bench: Bench, size: str, count: int, methods: str) -> str:
    """Measure the peak of memory of methods, once."""
    rows = []
    for method in methods.split(","):
        taken = min(count, METHODS[OURS[method][0]].max_experts or count)
        key = f"memory {size} {taken} {method}"

        def commands(method: str = method, taken: int = taken) -> Commands:
            models = bench.models(size, "float16", count)[: taken + 1]
            return {"ours": bench.ours(method, models, "--dtype", "float16")}

        bench.rounds(key, commands, repeats=1)
        for run in bench.results.get(key, []):
            if "ours" in run:
                costs = run["ours"]
                anon, cpu = f"{costs['anon']:.0f}", f"{costs['cpu']:.1f}"
                rows.append([method, str(taken), anon, cpu])
    return table(
        f"Peak of anonymous memory, shapes of {size}, float16",
        "method | experts | MB | CPU seconds",
        rows,
    )


def growth(
    bench: Bench, counts: Sequence[int], sizes: Sequence[str], methods: str
) -> str:
    """Measure cost against the number of experts and the size; draw it."""
    lines: dict[str, dict[str, list[tuple[float, float]]]] = {"experts": {}, "size": {}}
    rows = []
    cases = [("experts", "base", count) for count in counts]
    cases += [("size", size, 4) for size in sizes]
    for what, size, count in cases:
        for method in ("floor", *methods.split(",")):
            key = f"growth {size} {count} {method}"

            def commands(
                size: str = size, count: int = count, method: str = method
            ) -> Commands:
                most = max(counts) if size == "base" else count
                models = bench.models(size, "float16", most)[: count + 1]
                if method == "floor":
                    return {"ours": bench.floor(models)}
                return {"ours": bench.ours(method, models, "--dtype", "float16")}

            bench.rounds(key, commands)
            if not (runs := bench.results.get(key)):
                continue
            models = bench.models(size, "float16", count)
            weights = (models[0] / "model.safetensors").stat().st_size / 2e6
            place = count if what == "experts" else weights
            cpu = median(runs, "ours", "cpu")
            lines[what].setdefault(method, []).append((place, cpu))
            rows.append([size, str(count), method, shown(runs, "ours")])
    draw(lines, bench.work / "merging.png")
    return table(
        "Growth, float16: CPU seconds and [MB]", "size | experts | method | cost", rows
    )


def draw(
    lines: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]], path: Path
) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    figure = Figure(figsize=(9, 4), layout="constrained")
    labels = {"experts": "experts of Whisper base", "size": "million weights"}
    for axes, (what, methods) in zip(figure.subplots(1, 2), lines.items(), strict=True):
        for method, points in methods.items():
            axes.loglog(*zip(*sorted(points), strict=True), "o-", label=method)
        axes.set_xlabel(labels[what])
        axes.set_ylabel("CPU seconds")
        places = sorted({place for points in methods.values() for place, _ in points})
        axes.set_xticks(places, [f"{place:.0f}" for place in places])
        axes.set_xticks([], minor=True)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
        axes.grid(alpha=0.3)
    if lines["size"]:
        figure.legend(
            *axes.get_legend_handles_labels(), loc="outside upper center", ncols=9
        )
    figure.savefig(path, dpi=150)


def workers(bench: Bench, size: str, methods: str) -> str:
    """Measure what a second worker gains, and what the machine has to give.

    That is told by two merges at once, each by one worker: sharing memory and caches,
    they take longer than one alone. Half of their time is the least for two workers.
    """
    rows = []
    for method in methods.split(","):
        key = f"workers {size} {method}"

        def commands(method: str = method) -> Commands:
            dtype = dtype_of(size)
            models = bench.models(size, dtype, 4)
            one, two = (
                bench.ours(method, models, "--dtype", dtype, jobs=jobs)
                for jobs in (1, 2)
            )
            beside = f"{bench.output}.beside"
            other = [beside if word == str(bench.output) else word for word in one]
            both = (
                f"{shlex.join(one)} & {shlex.join(other)} && wait $! && rm -r {beside}"
            )
            return {"one": one, "two": two, "both": ["sh", "-c", both]}

        bench.rounds(key, commands)
        runs = bench.results.get(key, [])
        if any(runs):
            names = ("one", "two", "both")
            seconds = [f"{median(runs, name, 'wall'):.2f}" for name in names]
            ratios = [ratio(runs, name, "one", "wall") for name in names[1:]]
            rows.append([method, *seconds, *ratios])
    return table(
        f"Workers, Whisper {size}, 4 experts: wall seconds",
        "method | one | two | two merges at once | two / one | at once / one",
        rows,
    )


def sweep(bench: Bench, size: str) -> str:
    """Measure ten settings of one method against one."""
    key = f"sweep {size}"

    def commands() -> Commands:
        models = bench.models(size, dtype_of(size), 4)
        grid = ("--grid", "beta=0.1,0.3,0.5,0.7,1", "scale=0.5,1")
        return {
            "one": bench.ours("boosted_tsv_m", models),
            "ten": bench.ours("boosted_tsv_m", models, *grid, command="sweep"),
        }

    bench.rounds(key, commands)
    runs = bench.results.get(key, [])
    row = [shown(runs, "one"), shown(runs, "ten"), ratio(runs, "ten", "one")]
    return table(
        f"Ten settings of BoostedTSV-M, Whisper {size}, 4 experts: CPU seconds, [MB]",
        "one merge | a sweep of ten | ratio",
        [row],
    )


def start_up(bench: Bench) -> str:
    """Measure what answers at once."""
    program = str(PROJECT / "espnet-merge")

    def commands() -> Commands:
        models = bench.models("base", "float32", 4)
        return {
            "--help": [program, "--help"],
            "methods": [program, "methods"],
            "merge --dry-run": bench.ours("tsv_m", models, "--dry-run"),
        }

    bench.rounds("start-up", commands, repeats=START_UP_ROUNDS)
    runs = bench.results.get("start-up", [])
    names = runs[0] if runs else {}
    rows = [[name, f"{median(runs, name, 'wall'):.2f}"] for name in names]
    return table("Start-up: wall seconds", "command | s", rows)


def table(title: str, head: str, rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {head} |", "|---" * (head.count("|") + 1) + "|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"### {title}", "", *lines, ""])


def shown(runs: list[dict[str, Costs]], name: str) -> str:
    if not any(name in run for run in runs):
        return "–"
    return f"{median(runs, name, 'cpu'):.2f} [{median(runs, name, 'anon'):.0f}]"


def median(runs: list[dict[str, Costs]], name: str, what: str) -> float:
    return statistics.median(run[name][what] for run in runs if name in run)


def ratio(runs: list[dict[str, Costs]], one: str, other: str, what: str = "cpu") -> str:
    both = [run for run in runs if {one, other} <= run.keys()]
    ratios = [run[one][what] / run[other][what] for run in both]
    return f"{statistics.median(ratios):.2f}×" if ratios else "–"


def environment(peers: Path | None) -> str:
    """Say on what machine, with which versions."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":")[1].strip() for line in lines if "model name" in line]
    said = [f"{len(models)} × {models[0]}"]
    packages = ("espnet_merge", "numpy", "torch", "peft")
    said += [f"{name} {metadata.version(name)}" for name in packages]
    wanted = {"mergekit", "fusion_bench", "torch"}
    for path in sorted(peers.glob("*/lib/python*/site-packages")) if peers else []:
        names = (found.name.removesuffix(".dist-info") for found in path.glob("*info"))
        found = [name for name in names if name.rpartition("-")[0] in wanted]
        said.append(" with ".join(sorted(found)))
    return "; ".join(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add(
        "parts",
        nargs="*",
        help="compare, adapters, memory, growth, workers, sweep, start; all",
    )
    add("--work", type=Path, required=True, help="models, results.json, merging.md")
    add("--peers", type=Path, help="directory that peers.sh has filled")
    add("--size", default="base,medium", help=f"of compare: {', '.join(SIZES)}")
    add("--methods", default=COMPARED)
    add("--experts", type=int, default=4)
    add("--adapters", default="4,10", help="numbers of adapters")
    add("--adapter-size", default="base")
    add("--memory-size", default="wide", help="large-v3 costs hours; see synthetic.py")
    add("--memory-experts", type=int, default=10)
    add("--memory-methods", default=",".join(OURS))
    add("--growth-experts", default="2,4,8,16")
    add("--growth-sizes", default="tiny,base,small,medium,large-v3")
    add("--growth-methods", default="soup,task_arithmetic,ties")
    add("--workers-size", default="base", help="of workers and sweep")
    add("--workers-methods", default="task_arithmetic,ties,tsv_m")
    add("--repeats", type=int, default=3)
    add("--heavy", action="store_true", help="let FusionBench trim, 11 GB and more")
    args = parser.parse_args()
    # The files say where they lie: a relative name would be another one elsewhere.
    work, peers = args.work.resolve(), args.peers and args.peers.resolve()
    work.mkdir(parents=True, exist_ok=True)
    bench = Bench(work, peers, args.repeats, args.heavy)
    parts: dict[str, Callable[[], str]] = {
        "compare": lambda: "\n".join(
            compare(bench, size, dtype_of(size), args.experts, args.methods)
            for size in args.size.split(",")
        ),
        "adapters": lambda: adapters(bench, args.adapter_size, numbers(args.adapters)),
        "memory": lambda: memory(
            bench, args.memory_size, args.memory_experts, args.memory_methods
        ),
        "growth": lambda: growth(
            bench,
            numbers(args.growth_experts),
            args.growth_sizes.split(","),
            args.growth_methods,
        ),
        "workers": lambda: workers(bench, args.workers_size, args.workers_methods),
        "sweep": lambda: sweep(bench, args.workers_size),
        "start": lambda: start_up(bench),
    }
    if unknown := set(args.parts) - parts.keys():
        parser.error(
            f"unknown parts {', '.join(unknown)}; there are {', '.join(parts)}"
        )
    tables = [parts[name]() for name in args.parts or parts]
    text = "\n".join([*tables, environment(peers), ""])
    (work / "merging.md").write_text(text, encoding="utf-8")
    print(text)


def dtype_of(size: str) -> str:
    """Return the type in which checkpoints of this size are usually kept."""
    return (
        "float16"
        if size in ("medium", "medium-layer", "large-v3", "wide")
        else "float32"
    )


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


if __name__ == "__main__":
    main()
