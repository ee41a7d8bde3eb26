"""What the shell is told: bash is asked for completions, as by the Tab key."""

import subprocess

import pytest

from espnet_merge.__main__ import COMMANDS, main

ASK = """
. ./script
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
"$(complete -p espnet-merge | sed 's/.*-F \\([^ ]*\\).*/\\1/')" espnet-merge "${@: -1}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def complete(tmp_path, capsys):
    main(["completion", "bash"])
    (tmp_path / "script").write_text(capsys.readouterr().out)
    (tmp_path / "basement").mkdir()

    def ask(*words):
        done = subprocess.run(
            ["bash", "-c", ASK, "bash", "espnet-merge", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    return ask


def test_commands_options_choices_and_files(complete):
    assert set(complete("")) >= set(COMMANDS)
    assert complete("se") == ["search", "seeds"]
    assert complete("merge", "--outp") == ["--output", "--output-adapter"]
    assert complete("merge", "--dtype", "") == ["float32", "float16", "bfloat16"]
    assert complete("merge", "--base", "base") == ["basement"]


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_are_told_the_commands(shell, capsys):
    main(["completion", shell])
    script = capsys.readouterr().out
    assert [name for name in COMMANDS if name not in script] == []
