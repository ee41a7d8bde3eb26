import doctest
import subprocess

import pytest

from docs.site import formulas, shell
from docs.site.shell import WIDTH, fold, mark_options

LONG = (
    "echo merge --base exp/base --experts " + "exp/an_expert " * 4 + "--output exp/soup"
)


def test_a_folded_command_is_the_same_command():
    folded = fold(f"```sh\n{LONG}\n```\n").split("```sh\n")[1].removesuffix("```\n")
    assert folded.count("\n") == 3
    assert max(map(len, folded.splitlines())) <= WIDTH + 2
    runs = [["bash", "-c", text] for text in (LONG, folded)]
    one, two = (subprocess.run(run, capture_output=True, text=True) for run in runs)
    assert one.stdout == two.stdout


def test_what_is_quoted_stays_whole():
    line = f'run.sh {"x" * 60} --train_args "--max_epoch 2 --batch_size 4" --seeds 0'
    assert fold(f"```sh\n{line}\n```").count('"--max_epoch 2 --batch_size 4"') == 1


def test_others_stay():
    text = f"```sh\nmake demo\n```\n\n```python\n{LONG}\n```\n{LONG}\n"
    assert fold(text) == text


def test_options_are_marked():
    html = "<code>--tail</code> <code>--tail 4</code> <code>-j</code>"
    assert mark_options(html).count('class="option"') == 3
    others = f"<code>a --tail</code> <code>--experts {'a ' * 20}</code>"
    assert mark_options(others) == others


@pytest.mark.parametrize("module", [formulas, shell])
def test_examples_of_docstrings(module):
    done = doctest.testmod(module)
    assert (done.failed, done.attempted) == (0, 1)
