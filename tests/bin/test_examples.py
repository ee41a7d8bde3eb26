"""The --help of every command shows how it is called."""

import argparse
import importlib
import re
import shlex

import pytest

from espnet_merge.__main__ import COMMANDS, parse


def examples(command: str) -> list[str]:
    module = importlib.import_module(f"espnet_merge.bin.{command.replace('-', '_')}")
    shown = module.__doc__.partition("For example:\n")[2].replace("\\\n", " ")
    return re.findall(rf"\bespnet-merge {command}\b(.*)$", shown, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_have_options_that_there_are(command, finished_recipe, monkeypatch):
    monkeypatch.chdir(finished_recipe)  # what is there is not looked for on the hub
    shown = examples(command)
    assert shown
    module = importlib.import_module(f"espnet_merge.bin.{command.replace('-', '_')}")
    for words in shown:
        parser = argparse.ArgumentParser(exit_on_error=False)
        parse(module.Command, parser, shlex.split(words.partition(" > ")[0]))
