r"""Show systems that were trained with several seeds: mean and spread of their scores.

A --row names a system and the directories of its scored hypotheses, each .../SET with a
score.json of espnet-merge score; several of one SET are of its seeds. A --mean names a
column and the sets that it averages, those of each metric apart. Scores of sets of
another size are refused, and of models decoded otherwise, but for the silence that each
was trained with.

For example:
  espnet-merge seeds --sets cs_test it_test --mean old=it_test \
    --row "from scratch" exp/seed*/scratch/cs/inference_as_trained/cs_test \
    --row "full" exp/seed*/full/cs/inference_as_trained/{cs,it}_test --output table.md
"""

import argparse
from pathlib import Path

from espnet_merge.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add(
        "--row",
        nargs="+",
        action="append",
        required=True,
        metavar=("SYSTEM", "DIR"),
        help="a system, and where its scores are",
    )
    add("--sets", nargs="+", required=True, metavar="SET", help="columns")
    add(
        "--mean",
        action="append",
        default=[],
        metavar="NAME=SET,SET",
        help="a column with the mean over sets",
    )
    add(
        "--base",
        metavar="SYSTEM",
        help="the untrained model's, which may be decoded in a mode of its own",
    )
    add("--output", type=Path, metavar="FILE", help="Markdown to write, too")


def main(args: argparse.Namespace) -> None:
    """Read, print, and write if told to."""
    from espnet_merge.disk.atomic import whole_file
    from espnet_merge.report.seeds import markdown, read_scores

    rows: dict[str, list[Path]] = {}
    for name, *places in args.row:
        if name in rows:
            raise InputError(f"--row must name each system once; {name!r} is twice.")
        rows[name] = [Path(place) for place in places]
    means = {}
    for word in args.mean:
        name, equals, sets = word.partition("=")
        if not equals or name in args.sets:
            raise InputError(
                f"--mean must be NAME=SET,SET with a name that is no set; got {word!r}."
            )
        means[name] = sets.split(",")
    if args.base is not None and args.base not in rows:
        raise InputError(
            f"--base must be one of --row, which are {', '.join(rows)}; got "
            f"{args.base!r}."
        )
    lines = list(markdown(read_scores(rows, args.base), args.sets, means))
    print(*lines, sep="\n")
    if args.output:
        with whole_file(args.output) as part:
            part.write_text("\n".join([*lines, ""]), encoding="utf-8")
