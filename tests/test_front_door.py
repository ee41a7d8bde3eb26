"""``import espnet_merge as em``: the functions that the commands call."""

import doctest
import inspect
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import espnet_merge as em
from espnet_merge.__main__ import COMMANDS, main

ROOT = Path(__file__).parents[1]
FUNCTIONS = [name for name in em.__all__ if name in COMMANDS]


@pytest.fixture
def recipe(finished_recipe, tmp_path, monkeypatch):
    path = shutil.copytree(finished_recipe, tmp_path / "recipe")
    monkeypatch.chdir(path)
    return path


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


EXPERTS = ("exp/full_es/model", "exp/full_it/model")
MODELS = ("--base", "exp/base", "--experts", *EXPERTS)


def test_the_page_is_true(recipe):
    done = doctest.testfile(str(ROOT / "docs" / "python.md"), module_relative=False)
    assert (done.failed, done.attempted > 12) == (0, True)


def test_importing_the_package_imports_nothing_else():
    code = (
        "import sys; import espnet_merge\n"
        "print(*sorted({name for name in sys.modules\n"
        "    if name.partition('.')[0] not in sys.stdlib_module_names}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    ours = [name for name in done.stdout.split() if name.startswith("espnet_merge")]
    assert ours == ["espnet_merge", "espnet_merge.version"]
    assert not {"numpy", "yaml", "torch"} & set(done.stdout.split())


def test_names_are_there():
    assert [
        *("advise", "decode", "export", "fetch", "inspect", "learn", "merge"),
        *("score", "search"),
    ] == FUNCTIONS
    assert set(em.__all__) < set(dir(em))
    for name in FUNCTIONS:
        function = getattr(em, name)
        assert function is getattr(em, name)
        assert (function.__name__, function.__module__) == (name, "espnet_merge")
        assert function.__doc__.count("\n    ") >= len(
            inspect.signature(function).parameters
        )
        for section in ("Args:", "Returns:", "Raises:", "Example:"):
            assert f"\n{section}\n" in function.__doc__
    with pytest.raises(AttributeError, match="has no attribute 'merg'"):
        em.merg  # noqa: B018


def test_rooms_do_not_hide_functions_of_their_name():
    code = (
        "import espnet_merge as em; from espnet_merge.decode import settings\n"
        "from espnet_merge.score import normalize\n"
        "from espnet_merge.export import record\n"
        "print(em.decode.__name__, em.score.__name__, em.export.__name__)\n"
        "print(settings.__name__, normalize.__name__, record.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [
        "decode",
        "score",
        "export",
        "espnet_merge.decode.settings",
        "espnet_merge.score.normalize",
        "espnet_merge.export.record",
    ]


def test_a_function_and_its_command_write_the_same_bytes(recipe, capsys):
    merged = em.merge(
        method="ties",
        base="exp/base",
        experts=EXPERTS,
        output=Path("here"),
        params={"density": 0.5},
        weights=[1, 2],
    )
    words = ("--output", "there", "--set", "density=0.5", "--weights", "1", "2")
    main(["merge", "--method", "ties", *MODELS, *words])
    assert contents("here") == contents("there")
    assert repr(merged).endswith(" of 2 experts -> here")
    assert merged.record["params"]["weights"] == [1, 2]

    spoken = {"data": ["dump/raw/es_test"], "max_new_tokens": 5, "tail": 1.5}
    heard = em.decode(model="exp/base", output=["one"], **spoken)
    words = ("--output", "two", "--max-new-tokens", "5", "--tail", "1.5")
    main(["decode", "--model", "exp/base", "--data", "dump/raw/es_test", *words])
    assert contents("one") == contents("two")
    assert repr(heard).startswith("one: 2 utterances\n  es-hello-world")

    capsys.readouterr()
    scores = em.score(ref="dump/raw/es_test", hyp=["one"], metric=["wer"])
    main(["score", "--ref", "dump/raw/es_test", "--hyp", "one", "--metric", "wer"])
    assert repr(scores) + "\n" == capsys.readouterr().out
    kept = em.score(
        ref="dump/raw/es_test", hyp=["one"], metric=["wer"], keep_current=True
    )
    first, _, rest = repr(kept).partition("\n")
    assert first == "1 of 1 directories have this score already"
    assert rest == repr(scores)
    assert kept["one"] == scores["one"]

    exported = em.export(source="exp/base", output="first", dtype="float16")
    main(["export", "exp/base", "--output", "second", "--dtype", "float16"])
    assert repr(exported) + "\n" == capsys.readouterr().out.replace("second", "first")
    assert contents("first") == contents("second")


def test_a_plan_is_what_a_dry_run_prints(recipe, capsys):
    options = {"method": "soup", "base": "exp/base", "experts": EXPERTS}
    plan = em.merge(**options, output="out", dry_run=True)
    main(["merge", "--method", "soup", *MODELS, "--output", "out", "--dry-run"])
    assert repr(plan) + "\n" == capsys.readouterr().out
    assert plan.output == Path("out")
    assert not Path("out").exists()


def test_what_may_not_be_meant_is_a_warning(recipe):
    with pytest.warns(em.InputWarning, match="bfloat16 rounds away about 16 %"):
        em.merge(
            method="soup",
            base="exp/base",
            experts=EXPERTS,
            output="out",
            dtype="bfloat16",
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metod": "soup"}, "no option is called 'metod'; did you mean method?"),
        ({"experts": "exp/base"}, "experts must be a list of paths; got 'exp/base'."),
        ({"dtype": "int8"}, "dtype must be one of float32, float16, bfloat16; got"),
        ({"jobs": 0}, "jobs must be a whole number >= 1; got 0."),
        ({"params": ["scale=1"]}, "params must be a mapping; got ['scale=1']."),
    ],
)
def test_mistakes_are_one_line(options, message):
    with pytest.raises(em.InputError) as caught:
        em.merge(**{"base": "b", "experts": ["e"], "output": "o"} | options)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_tables_for_notebooks(recipe):
    found = em.inspect(base="exp/base", experts=EXPERTS)
    assert "<tr><td>full_es, full_it</td>" in found._repr_html_()
    assert "Pairs, over the whole model:\n  pair " in repr(found)
    scores = em.score(ref="dump/raw/es_test", hyp=["exp/copy/es_test"])
    row = "<tr><td>exp/copy/es_test</td><td>wer</td><td>raw</td><td>0.00</td></tr>"
    assert row in scores._repr_html_()
    assert "<tr><td>ties</td><td>" in em.METHODS._repr_html_()
    assert repr(em.METHODS).splitlines()[0].startswith("soup             ")
