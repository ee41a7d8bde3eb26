r"""Merge expert checkpoints into one.

Base and experts are Hugging Face directories, OpenAI's .pt or ESPnet's .pth, experts
also LoRA adapters; formats may be mixed where they describe the same model.

For example:
  espnet-merge merge --method tsv_m --base exp/base \
    --experts exp/full_es/model exp/full_it/model \
    --output exp/tsv_m/model --set scale=1

'espnet-merge methods' lists the methods and their parameters.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from espnet_merge.errors import InputError
from espnet_merge.workers import cores

if TYPE_CHECKING:
    from espnet_merge.checkpoint import Adapter, Checkpoint
    from espnet_merge.merging.merge import Merge

# Measured share of the merged task vector that rounding to the type destroys.
ROUNDING = {"float16": 3, "bfloat16": 16}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--method", metavar="NAME", help="what to do; see 'espnet-merge methods'")
    add("--config", type=Path, metavar="FILE", help="YAML with 'method' and 'params'")
    add_inputs(parser)
    add("--output", type=Path, required=True, metavar="DIR", help="directory to write")
    add(
        "--output-adapter",
        metavar="RANK",
        help="merge adapters into an adapter of this rank; 'exact' takes the sum of"
        " their ranks and loses nothing (sums, and methods that merge factors)",
    )
    add(
        "--shard",
        metavar="I/N",
        help="write part I of N, for job arrays; 'espnet-merge join' joins them",
    )
    add("--dry-run", action="store_true", help="check the headers and print the plan")


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Declare the options that a sweep has as well."""
    add_models(parser)
    add = parser.add_argument
    add(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="parameters of the method; they override --config",
    )
    add("--weights", type=float, nargs="+", metavar="W", help="one weight an expert")
    add(
        "--dtype",
        choices=("float32", "float16", "bfloat16"),
        default="float32",
        help="type of the merged weights (default: %(default)s)",
    )
    add(
        "--compute-dtype",
        choices=("float32", "float64"),
        default="float32",
        help="type of the arithmetic (default: %(default)s)",
    )
    add(
        "--format",
        choices=("hf", "openai", "espnet"),
        help="format of the output (default: that of the base)",
    )
    add_run(parser)


def add_models(parser: argparse.ArgumentParser) -> None:
    """Declare the options that name base and experts."""
    add = parser.add_argument
    add("--base", type=Path, required=True, metavar="PATH", help="where experts began")
    add(
        "--experts",
        type=Path,
        required=True,
        nargs="+",
        metavar="PATH",
        help="models or adapters of the base: Hugging Face or PEFT directories,"
        " OpenAI's .pt, ESPnet's .pth",
    )


def add_run(parser: argparse.ArgumentParser) -> None:
    """Declare the options of everything that merges."""
    add = parser.add_argument
    add(
        "--jobs",
        type=int,
        default=cores(),
        metavar="N",
        help="threads; the result does not depend on it (default: the cores that are"
        " there, at most 8)",
    )
    add(
        "--device",
        choices=("cpu", "cuda"),
        default="cpu",
        help="where matrices are decomposed (default: %(default)s)",
    )
    add("--overwrite", action="store_true", help="replace an older merge in --output")


def main(args: argparse.Namespace) -> None:
    """Merge as told."""
    from espnet_merge.checkpoint import open_checkpoint, open_expert
    from espnet_merge.merging import estimate
    from espnet_merge.merging.loop import run
    from espnet_merge.merging.to_adapter import AdapterMerge

    name, params = method_and_params(args)
    check_jobs(args.jobs)
    base = open_checkpoint(args.base)
    experts = [open_expert(expert) for expert in args.experts]
    merge = merge_of(args, name, params, base, experts, args.output)
    adapter = None
    if args.output_adapter:
        if args.format or args.shard:
            other = "--format is of a model" if args.format else "--shard is of a model"
            raise InputError(
                f"{other}, --output-adapter writes PEFT's; leave one of them out."
            )
        adapter = AdapterMerge(merge, adapter_rank(args.output_adapter))
    size = sum(entry.nbytes for entry in merge.base.entries.values())
    print(f"{merge.method}")
    print(
        f"{len(merge.base.entries)} tensors, {size / 1e6:.1f} MB, {len(merge.experts)}"
        f" experts, about {estimate.memory(merge, args.jobs) / 1e6:.0f} MB of memory"
        f" and {estimate.seconds([merge], args.jobs):.0f} s -> {merge.output}"
    )
    warn_of_names(merge, to_adapter=bool(adapter))
    if args.dry_run:
        return
    warn_of_rounding(args.dtype)
    if adapter:
        kept = adapter.run(args.jobs, args.device)
        rank = adapter.written_rank
        print(f"rank {rank} keeps {100 * kept:.2f} % of the merged energy")
    elif args.shard:
        from espnet_merge.job_array import parse_shard
        from espnet_merge.merging.shards import parts_of, run_part

        shard = parse_shard(args.shard)
        written = run_part(merge, *shard, args.jobs, args.device)
        what = "written" if written else "was there already"
        print(f"{parts_of(merge.output)}: part {args.shard} {what}")
    else:
        run([merge], args.jobs, args.device)


def merge_of(
    args: argparse.Namespace,
    name: str,
    params: dict[str, Any],
    base: "Checkpoint",
    experts: "Sequence[Checkpoint | Adapter]",
    output: Path,
) -> "Merge":
    """Return the merge of opened inputs that the options tell."""
    from espnet_merge.merging.merge import Merge
    from espnet_merge.methods import build_method

    return Merge(
        method=build_method(name, params),
        base=base,
        experts=experts,
        output=output,
        format=args.format,
        dtype=args.dtype,
        compute_dtype=args.compute_dtype,
        overwrite=args.overwrite,
    )


def check_jobs(jobs: int) -> None:
    """Raise ``InputError`` where there is no such number of threads."""
    if jobs < 1:
        raise InputError(f"--jobs must be >= 1, got {jobs}; leave it out.")


def warn_of_names(merge: "Merge", *, to_adapter: bool) -> None:
    """Say so where a result lacks a configuration or a tokenizer."""
    from espnet_merge.checkpoint.side_files import has_tokenizer

    written = merge.written
    if to_adapter:
        return
    if written.format == "espnet" and written.template is None:
        print(
            "espnet-merge merge: warning: no input has ESPnet's config.yaml; the result"
            " is weights alone, under the names of ESPnet's own Whisper.",
            file=sys.stderr,
        )
    if written.format == "hf" and not has_tokenizer(written.side_files):
        print(
            "espnet-merge merge: warning: no input has a tokenizer; the result cannot"
            " decode before you copy one into it.",
            file=sys.stderr,
        )


def warn_of_rounding(dtype: str) -> None:
    """Say how much of the task vectors a short type loses."""
    if dtype in ROUNDING:
        print(
            f"espnet-merge merge: warning: {dtype} rounds away about"
            f" {ROUNDING[dtype]} % of the merged task vector; float32 keeps it.",
            file=sys.stderr,
        )


def adapter_rank(text: str) -> int | None:
    """Return the rank in ``text``, None for 'exact'."""
    if text == "exact":
        return None
    if not text.isdecimal():
        raise InputError(
            f"--output-adapter takes a rank or 'exact', got {text!r}; write 32."
        )
    return int(text)


def method_and_params(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Return the method and its parameters: --config, then --method, --set, --weights.

    Raises:
        InputError: the file or an option does not have the form that is asked for.
    """
    name: str | None = args.method
    params: dict[str, Any] = {}
    if args.config:
        name, params = read_config(args.config)
        if args.method and args.method != name:
            raise InputError(
                f"--method {args.method} contradicts {args.config}, which says {name};"
                " leave one of them out."
            )
    if not name:
        raise InputError("--method is missing; give it, or a --config with 'method'.")
    return name, params | params_of(args)


def params_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters in --set and --weights."""
    import yaml

    params: dict[str, Any] = {}
    for item in args.set:
        key, equals, value = item.partition("=")
        if not (key and equals):
            raise InputError(f"--set takes KEY=VALUE, got {item!r}; write scale=0.3.")
        try:
            params[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--set {item}: not valid YAML ({error}).") from error
    if args.weights is not None:
        params["weights"] = args.weights
    return params


def read_config(path: Path) -> tuple[str, dict[str, Any]]:
    """Return method and parameters of a ``conf/merge/<method>.yaml``."""
    import yaml

    if not path.is_file():
        raise InputError(f"{path}: no such file; see conf/merge for examples.")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid YAML ({error}).") from error
    if (
        not isinstance(config, dict)
        or not config.keys() <= {"method", "params"}
        or not isinstance(config.get("method"), str)
        or not isinstance(config.get("params") or {}, dict)
    ):
        raise InputError(
            f"{path}: must hold 'method: NAME' and 'params: {{…}}' and nothing else;"
            " see conf/merge for examples."
        )
    return config["method"], dict(config.get("params") or {})
