"""``espnet-merge COMMAND``: merge, decode and score Whisper experts."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from espnet_merge.errors import one_line_error, one_line_warnings, quiet_pipe
from espnet_merge.extras import named_extra
from espnet_merge.options import Declared, Options, build, declared, with_one_sign
from espnet_merge.version import __version__

# Group -> name -> one line of help. A command lives in espnet_merge/bin/<name>.py and
# is imported only when it is called, so that --help costs no import of torch.
GROUPS = {
    "models": {
        "merge": "merge expert checkpoints into one",
        "sweep": "merge with many settings in one pass",
        "search": "choose coefficients of a merge on development data",
        "learn": "learn the weights of experts by gradient on development data",
        "inspect": "measure experts before a merge: norms, conflicts, overlaps",
        "advise": "say whether to merge, route or train jointly, by a short trial",
        "methods": "list the merge methods with their defaults",
        "statistics": "collect statistics of an expert's data, for fisher and regmean",
        "join": "join the parts of a merge that job arrays made",
        "replay": "merge again from a merge.yaml, and prove the same bytes",
        "fetch": "get a Whisper by size, name on the hub, directory or OpenAI file",
        "language": "add a language that a Whisper does not know",
    },
    "decode and score": {
        "decode": "transcribe a data directory",
        "listen": "open a page: record, and read what systems hear, side by side",
        "router": "train a classifier that chooses experts of utterances, for decode",
        "similarity": "measure how similar languages are to the base, for a warm start",
        "align-heads": "find the heads of attention that word timestamps look at",
        "score": "score hypotheses: WER and CER; BLEU and chrF of translations",
        "compare": "test the differences between systems for significance",
        "gate": "exit with 3 if a system is significantly worse than a baseline",
        "report": "write RESULTS.md and report.html from the scores",
        "seeds": "show systems trained with several seeds: mean and spread",
    },
    "data and recipes": {
        "import": "make data directories of CSV, JSONL, Kaldi, Parquet or a folder",
        "new-recipe": "make a recipe directory for your own corpus",
        "validate": "check data directories before they are used",
        "format": "write a data directory with one audio file per utterance, at 16 kHz",
        "filter": "drop utterances that Whisper cannot use, with a count per reason",
        "perturb": "write speed-perturbed copies of a data directory",
        "preflight": "check a run before it is queued: data, step, memory, disk",
    },
    "deploy and publish": {
        "export": "convert a model for another runtime; --check compares texts",
        "card": "write the model card of a merged or trained model",
        "push": "publish a merged or trained model on the hub, with its card",
    },
    "this installation": {
        "doctor": "check the installation and name each missing piece with its remedy",
        "completion": "print what completes these commands in your shell",
    },
}
COMMANDS = {name: text for own in GROUPS.values() for name, text in own.items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; exit 0 when done, 2 on bad input, 1 on our own defects."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    if not argv or argv[0] not in COMMANDS:
        parser.parse_args(argv or ["--help"])
    name, program = argv[0], f"espnet-merge {argv[0]}"
    command = importlib.import_module(f"espnet_merge.bin.{name.replace('-', '_')}")
    subparser = _Parser(
        prog=program,
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    with (
        one_line_error(program, OSError),
        one_line_warnings(program),
        quiet_pipe(),
        named_extra(name),
    ):
        command.main(parse(command.Command, subparser, argv[1:]))


def parse[O: Options](
    kind: type[O], parser: argparse.ArgumentParser, words: Sequence[str]
) -> O:
    """Return the options that the words of a command line give.

    Args:
        kind: a dataclass of options.
        parser: is told the options, those of each base in a group of its own.
        words: of a command line; in names of options ``_`` and ``-`` are one.

    Raises:
        InputError: a value is wrong; of words that are no options the parser tells.
    """
    options = add_options(kind, parser)
    given = vars(parser.parse_args([with_one_sign(word, "-") for word in words]))
    for name in given:
        if read := options[name].option.read:
            given[name] = read(given[name])
    return build(kind, given)


def add_options(
    kind: type[Options], parser: argparse.ArgumentParser
) -> dict[str, Declared]:
    """Tell the parser the options of a dataclass, and return them by name."""
    options = declared(kind)
    groups: dict[type, argparse._ActionsContainer] = {kind: parser}
    for one in options.values():
        if one.place not in groups:
            title = (one.place.__doc__ or "").partition("\n")[0].rstrip(".")
            groups[one.place] = parser.add_argument_group(title)
        _add(groups[one.place], one)
    return options


def _add(group: "argparse._ActionsContainer", one: Declared) -> None:
    name, option = one.field.name, one.option
    told: dict[str, Any] = {"help": one.help.replace("%", "%%")}
    if one.kind is bool:
        told |= {"action": "store_true"}
    elif not option.read:
        told |= {"type": one.kind, "choices": one.choices or None}
        told |= {"nargs": "+"} if one.many else {}
    told |= option.argparse
    if told.pop("positional", False):
        group.add_argument(name, **told)
        return
    flag = option.flag or f"--{name.replace('_', '-')}"
    told |= {"dest": name, "required": one.required, "default": argparse.SUPPRESS}
    group.add_argument(flag, **told)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as the commands do."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}; see '{self.prog} --help'.\n")


def _parser() -> argparse.ArgumentParser:
    parts = [
        f"{about}:\n" + "".join(f"  {name:12}{text}\n" for name, text in own.items())
        for about, own in GROUPS.items()
    ]
    parser = _Parser(
        prog="espnet-merge",
        description="\n".join([f"{__doc__}\n", *parts])
        + "\n'espnet-merge COMMAND --help' explains one command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND")
    return parser


if __name__ == "__main__":
    main()
