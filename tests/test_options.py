"""One declaration: Python, the command line and YAML make the same of it."""

import argparse
import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest

from espnet_merge import bin as commands
from espnet_merge.__main__ import COMMANDS, parse
from espnet_merge.errors import InputError
from espnet_merge.options import (
    AnyPath,
    Option,
    Options,
    as_words,
    build,
    declared,
    function,
    part,
    read_yaml,
)

FILES = sorted(Path(commands.__file__).parent.glob("[!_]*.py"))


@dataclass(frozen=True, kw_only=True)
class Hearing(Options):
    """How it hears."""

    pad_to: Annotated[float, Option("seconds", least=0, most=30)] = 30.0
    device: Annotated[Literal["cpu", "cuda"], Option("where")] = "cpu"


@dataclass(frozen=True, kw_only=True)
class Command(Hearing):
    """Do it.

    Returns:
        What it was told.
    """

    model: Annotated[AnyPath, Option("a Whisper", metavar="DIR")]
    data: Annotated[Sequence[AnyPath], Option("sets")]
    beam: Annotated[int, Option("texts", least=1)] = 1
    seed: Annotated[int, Option("of chance, 100 % of it")] = 0
    weights: Annotated[list[float] | None, Option("of each", default="equal")] = None
    rows: Annotated[
        Mapping[str, str],
        Option(
            "pairs", nargs="+", read=lambda words: dict(w.split("=") for w in words)
        ),
    ] = field(default_factory=dict)
    quiet: Annotated[bool, Option("say nothing")] = False
    config: Annotated[AnyPath | None, Option("YAML", file=Hearing)] = None
    inside: int = 7  # no option

    def __call__(self) -> "Command":
        return self


def words(*more):
    return ["--model", "m", "--data", "a", "b", *more]


def parsed(*more):
    return parse(Command, argparse.ArgumentParser(prog="do"), words(*more))


GIVEN = {"model": "m", "data": ["a", "b"]}


def test_words_and_keywords_make_the_same(tmp_path):
    file = tmp_path / "hearing.yaml"
    file.write_text("pad_to: 10\ndevice: cuda\n")
    one = parsed(
        *("--pad_to", "3", "--weights", "1", "2.5", "--rows", "es=1", "it=a"),
        *("--quiet", "--config", str(file)),
    )
    other = build(
        Command,
        {
            "model": Path("m"),
            "data": [Path("a"), Path("b")],
            "pad_to": 3.0,
            "weights": [1.0, 2.5],
            "rows": {"es": "1", "it": "a"},
            "quiet": True,
            "config": file,
        },
    )
    assert one == other
    # What is given stands over the file, and that over the default.
    assert (one.pad_to, one.device, one.seed, one.inside) == (3.0, "cuda", 0, 7)
    assert part(one, Hearing) == Hearing(pad_to=3.0, device="cuda")


def test_help_has_every_default_and_a_group_for_each_base():
    parser = argparse.ArgumentParser(prog="do")
    with pytest.raises(SystemExit):
        parse(Command, parser, words("--beams", "2"))
    text = " ".join(parser.format_help().split())
    own, theirs = text.split("How it hears: ")
    for line in (
        "--model DIR a Whisper --data DATA [DATA ...] sets",
        "--seed SEED of chance, 100 % of it (default: 0)",
        "of each (default: equal)",
        "--quiet say nothing --config CONFIG YAML",
    ):
        assert line in own
    assert "--pad-to PAD_TO seconds (default: 30)" in theirs
    assert "--device {cpu,cuda} where (default: cpu)" in theirs
    assert "inside" not in text


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("beam", 0, "beam must be a whole number >= 1; got 0."),
        ("beam", 1.0, "beam must be a whole number >= 1; got 1.0."),
        ("beam", True, "beam must be a whole number >= 1; got True."),
        ("pad_to", 31, "pad_to must be a number from 0 to 30; got 31."),
        ("pad_to", float("nan"), "pad_to must be a number from 0 to 30; got nan."),
        ("pad_to", "3", "pad_to must be a number from 0 to 30; got '3'."),
        ("device", "tpu", "device must be one of cpu, cuda; got 'tpu'."),
        ("quiet", 2, "quiet must be one of False, True; got 2."),
        ("model", 5, "model must be a path; got 5."),
        ("model", None, "model must be a path; got None."),
        ("data", "a", "data must be a list of paths; got 'a'."),
        ("data", ["a", 1], "each of data must be a path; got 1."),
        ("weights", (1.0,), "weights must be a list of numbers; got (1.0,)."),
        ("weights", ["x"], "each of weights must be a number; got 'x'."),
        ("rows", ["es=1"], "rows must be a mapping; got ['es=1']."),
        ("beams", 1, "no option is called 'beams'; did you mean beam?"),
    ],
)
def test_bad_values_are_one_line(name, value, message):
    with pytest.raises(InputError) as caught:
        function(Command, "do")(**{**GIVEN, name: value})
    assert str(caught.value) == message


def test_any_of_several_types_will_do():
    @dataclass(frozen=True, kw_only=True)
    class Ranked(Options):
        rank: Annotated[int | str | None, Option("a number, or exact")] = None

    assert [Ranked(rank=x).rank for x in (2, "exact", None)] == [2, "exact", None]
    for wrong in (2.5, True, [2]):
        with pytest.raises(InputError, match="rank must be"):
            Ranked(rank=wrong)


def test_what_is_missing_is_named():
    with pytest.raises(InputError, match=r"^data is missing: sets\.$"):
        function(Command, "do")(model="m")
    with pytest.raises(InputError, match="do takes keyword arguments alone; got 'm'"):
        function(Command, "do")("m")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("pad_too: 3", "no setting is called 'pad_too'; did you mean pad_to?"),
        ("model: m", "no setting is called 'model'; there are pad_to, device."),
        ("[", "a YAML file is needed"),
        ("- 3", "must hold lines 'name: value'; got"),
    ],
)
def test_a_bad_file_is_named(tmp_path, content, message):
    file = tmp_path / "hearing.yaml"
    file.write_text(content)
    with pytest.raises(InputError) as caught:
        function(Command, "do")(**GIVEN, config=file)
    assert str(caught.value).startswith(f"{file}: {message}")
    file.write_text("")
    assert read_yaml(Hearing, file) == {}


def test_the_function_tells_of_itself():
    do = function(Command, "do")
    signature = inspect.signature(do)
    assert list(signature.parameters) == [
        *("model", "data", "beam", "seed", "weights", "rows", "quiet", "config"),
        *("pad_to", "device"),
    ]
    assert signature.parameters["pad_to"].annotation is float
    assert signature.parameters["pad_to"].default == 30.0
    assert signature.return_annotation == "Command"
    first, told, rest = do.__doc__.partition("\n\nArgs:\n")
    assert (first, bool(told)) == ("Do it.", True)
    assert "    pad_to: seconds (default: 30).\n" in rest
    assert rest.endswith("Returns:\n    What it was told.")
    assert do(**GIVEN).data == ["a", "b"]


def test_options_as_words_again():
    again = as_words(parsed("--quiet", "--weights", "1", "2"))
    assert again == [
        *("--model", "m", "--data", "a", "b", "--beam", "1", "--seed", "0"),
        *("--weights", "1.0", "2.0", "--quiet", "--pad-to", "30.0", "--device", "cpu"),
    ]
    rows = as_words(parsed("--rows", "es=1", "it=2"))
    assert rows[rows.index("--rows") + 1 :][:2] == ["es=1", "it=2"]


def test_groups_are_words_again():
    from espnet_merge.bin.seeds import Command as Seeds

    told = ["--sets", "es_a", "es_b", "--load", "x", "--group", "es=es_a,es_b", "it="]
    words = as_words(parse(Seeds, argparse.ArgumentParser(), told))
    assert words[words.index("--group") + 1 :][:2] == ["es=es_a,es_b", "it="]


def test_no_command_imports_another():
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                assert not node.module.startswith("espnet_merge.bin.") or (
                    node.module.startswith("espnet_merge.bin._")
                ), f"{file.name}: {node.module}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_its_options_a_call_and_a_print(name):
    module = importlib.import_module(f"espnet_merge.bin.{name.replace('-', '_')}")
    assert issubclass(module.Command, Options)
    assert callable(module.main)
    for one in declared(module.Command).values():
        assert one.option.help
        assert not one.option.help.endswith(".")


def test_help_waits_for_nothing_heavy():
    code = (
        "import contextlib, io, sys\n"
        "from espnet_merge.__main__ import COMMANDS, main\n"
        "for name in COMMANDS:\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "        with contextlib.suppress(SystemExit):\n"
        "            main([name, '--help'])\n"
        "    assert 'usage' in out.getvalue(), name\n"
        "heavy = {'numpy', 'scipy', 'torch', 'transformers', 'matplotlib', 'espnet2'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
