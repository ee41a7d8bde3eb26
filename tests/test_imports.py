"""What may be imported before anything is called; pyproject.toml holds the rest.

import-linter counts the imports within functions, too, so it cannot tell the two apart.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "espnet_merge").rglob("*.py"))
MODULES = [
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for file in FILES
]
SLOW = ("torch", "transformers", "peft", "espnet2")
# Rooms where networks run may import these at once...
NETWORKS = {
    *("advice", "alignment", "search", "statistics", "export", "tasks", "decode"),
    *("lora", "objectives", "whisper", "preflight", "listening"),
}
# ...but not the files that say and check what is asked for.
QUICK = {
    "advice.facts",
    "advice.rules",
    "advice.settings",
    "decode.journal",
    "decode.settings",
    "decode.utterances",
    "lora.mixture_conf",
    "lora.similarity",
    "preflight.repeats",
    "preflight.sets",
    "preflight.texts",
    "search.choice",
    "search.curve",
    "search.development",
    "search.found",
    "search.goals",
    "search.groups",
    "search.learn_settings",
    "search.picture",
    "search.settings",
    "search.space",
    "search.study",
    "tasks.export",
    "whisper.converted",
    "whisper.features",
    "whisper.fetched",
    "whisper.packages",
    "whisper.prompt",
}

# Imports each module where the slow ones are not to be had.
IMPORT_ALL = f"""
import importlib, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {SLOW}:
            raise ModuleNotFoundError(f"needs {{name}}")
sys.meta_path.insert(0, Refuse())
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        print(name, error)
"""


def room(module: str) -> str:
    return f"{module}.".split(".")[1]


def run(code: str, *arguments: str, cwd: Path = ROOT) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_nothing_slow_is_imported_where_no_network_runs():
    quick = {f"espnet_merge.{name}" for name in QUICK}
    assert quick <= set(MODULES)
    others = {module for module in MODULES if room(module) not in NETWORKS}
    assert run(IMPORT_ALL, *sorted(quick | others)) == ""


def test_a_slow_import_would_be_seen():
    assert run(IMPORT_ALL, "espnet_merge.whisper.model") == (
        "espnet_merge.whisper.model needs torch\n"
    )


EXPERTS = ("--base", "exp/base", "--experts", "exp/full_es/model", "exp/full_it/model")
REF = ("--ref", "dump/raw/es_test")


@pytest.mark.parametrize(
    "words",
    [
        ("inspect", *EXPERTS),
        ("sweep", "--method", "tsv_m", *EXPERTS, "--output", "sweep"),
        ("score", *REF, "--hyp", "exp/copy/es_test"),
        ("compare", *REF, "--hyp", "exp/copy", "exp/again"),
        ("gate", *REF, "--baseline", "exp/copy", "--candidate", "exp/again"),
        ("validate", "--data", "dump/raw/es_test"),
    ],
    ids=lambda words: words[0],
)
def test_commands_without_a_network_import_none(finished_recipe, tmp_path, words):
    recipe = shutil.copytree(finished_recipe, tmp_path / "recipe")
    shutil.copytree(recipe / "exp" / "copy", recipe / "exp" / "again")
    code = (
        "import sys; from espnet_merge.__main__ import main; main(sys.argv[1:]);"
        f"print(*sorted(set({SLOW}) & sys.modules.keys()))"
    )
    assert run(code, *words, cwd=recipe).splitlines()[-1] == ""


@pytest.mark.parametrize("module", ["speech", "decode.settings"])
def test_settings_are_known_without_arrays_or_audio(module):
    slow = (*SLOW, "numpy", "av", "soundfile", "langcodes")
    code = (
        f"import sys, espnet_merge.{module}; "
        f"print(*sorted(set({slow}) & sys.modules.keys()))"
    )
    assert run(code) == "\n"
