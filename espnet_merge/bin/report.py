"""Write RESULTS.md, report.html, results.json and pictures from the scores of systems.

Reads EXPDIR/<system>/inference_<mode>/<set>/score.json. The pictures and the table
that is printed show the first mode; RESULTS.md and report.html have all of them.
report.html is one page that needs no network: it also holds what each system made of
the worst utterances, and their audio. The data directories that were scored against,
and the audio in their wav.scp, are looked for where they were then, from here.
"""

import argparse
import shlex
from pathlib import Path

from espnet_merge.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``espnet-merge report``."""
    parser.add_argument(
        "--expdir", type=Path, required=True, help="directory of the systems"
    )
    parser.add_argument(
        "--base", required=True, metavar="SYSTEM", help="the untrained model's system"
    )
    parser.add_argument(
        "--base-inference",
        metavar="MODE",
        help="decoding mode of the base, if not that of the others: Whisper as it was "
        "published needs padding",
    )
    lists = {
        "--experts": (
            "LANG=SYSTEM",
            "experts; the first of a language is its yardstick",
        ),
        "--joint": ("SYSTEM", "systems trained on all languages together"),
        "--merges": ("SYSTEM", "systems merged from experts"),
        "--sets": ("SET", "test sets, each named <language>_…"),
        "--trained": ("LANG", "languages that the experts were trained on"),
        "--untrained": ("LANG", "languages to look at for what was forgotten"),
        "--inference": ("MODE", "decoding modes, inference_<mode>; the first is main"),
    }
    for name, (metavar, text) in lists.items():
        required = name in ("--sets", "--inference")
        parser.add_argument(
            name,
            nargs="+" if required else "*",
            default=[],
            required=required,
            metavar=metavar,
            help=text,
        )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="where RESULTS.md, report.html, results.json and images/ go (default: "
        "the expdir)",
    )
    parser.add_argument(
        "--inspect",
        type=Path,
        metavar="DIR",
        help="what 'espnet-merge inspect' wrote, for report.html (default: "
        "EXPDIR/inspect, if there)",
    )
    parser.add_argument(
        "--utterances",
        type=int,
        default=100,
        metavar="N",
        help="utterances of each set in report.html, worst first (default: 100)",
    )
    parser.add_argument(
        "--clips",
        type=float,
        default=8.0,
        metavar="MB",
        help="audio in report.html, worst utterances first (default: 8 MB; 0: none)",
    )


def main(args: argparse.Namespace) -> None:
    """Write the report, print the main table."""
    # Imported late: --help need not wait for the tests' numpy and scipy.
    from espnet_merge.report.files import write_report
    from espnet_merge.report.plan import Plan

    plan = Plan(
        base=args.base,
        experts=[_expert(text) for text in args.experts],
        joint=args.joint,
        merges=args.merges,
        sets=args.sets,
        trained=args.trained,
        untrained=args.untrained,
    )
    report = write_report(
        plan,
        args.expdir,
        args.output or args.expdir,
        args.inference,
        command=_command(args),
        base_mode=args.base_inference,
        inspect=args.inspect,
        utterances=args.utterances,
        megabytes=args.clips,
    )
    print(report)


def _expert(text: str) -> tuple[str, str]:
    language, equals, system = text.partition("=")
    if not (language and equals and system):
        raise InputError(
            f"--experts takes LANG=SYSTEM such as es=full_es; got {text!r}."
        )
    return language, system


def _command(args: argparse.Namespace) -> str:
    words = ["espnet-merge", "report"]
    for name, value in vars(args).items():
        if value not in (None, []):
            values = value if isinstance(value, list) else [value]
            words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return shlex.join(words)
