"""Every example of the pages that begin, guide and help is run, on micro models."""

import glob
import json
import re
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

import espnet_merge as em
from espnet_merge.__main__ import main
from tests.docs.test_pages import ROOT
from tests.export.conftest import write_adapter
from tests.recipes.finished import write_recipe

DOCS = ROOT / "docs"
IN_DEPTH = (
    *("decoding", "lora", "merging", "objective_soups", "routing", "scoring"),
    *("training", "translation"),
)
# What they do is done with hypotheses of several systems.
SCORED = ("read_a_report", "scoring")
PAGES = [
    DOCS / "index.md",
    DOCS / "concepts.md",
    DOCS / "troubleshooting.md",
    *(DOCS / f"{name}.md" for name in IN_DEPTH),
    *sorted((DOCS / "start").glob("*.md")),
    *sorted((DOCS / "guides").glob("*.md")),
    *sorted((DOCS / "results").glob("*.md")),
]
RECIPE = ROOT / "egs2" / "prompts" / "merge1"
# They install: tests need no network, and run in an installation.
INSTALLING = {
    "python3 -m venv venv",
    ". venv/bin/activate",
    "pip install ./espnet_merge",
    "pip install './espnet_merge[decode]'",
}
SHELL = ("mkdir ", "echo ", "cat ")
RECORDING = ROOT / "tests" / "recordings" / "es-hello-world.flac"


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def lines(page: Path) -> list[str]:
    return [line for block in blocks(page, "sh") for line in block.splitlines()]


@pytest.fixture(scope="module")
def adapters(micro_whisper, tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters")
    for seed, name in enumerate(("lora_es", "lora_it", "lora_es_news", "lora_es_tv")):
        (folder / name).mkdir()
        write_adapter(micro_whisper, folder / name / "model", seed)
    return folder


@pytest.fixture
def tree(micro_whisper, adapters, tmp_path, monkeypatch):
    """What the pages take for granted: models, adapters, data, configurations."""
    write_recipe(tmp_path, micro_whisper)
    shutil.copytree(adapters, tmp_path / "exp", dirs_exist_ok=True)
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    write_few_systems(tmp_path)
    shutil.copy(RECORDING, tmp_path / "hello.wav")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_few_systems(output: Path) -> None:
    """Write a seed of the repository without most systems, whose tests take minutes."""
    seed = Path("egs2", "domains", "merge1", "results", "english", "seed_0.json")
    kept = json.loads((ROOT / seed).read_text("utf-8"))
    plan = kept["plan"] | {"baseline": ["joint"], "merges": ["soup"]}
    few = {name: kept["systems"][name] for name in ("zero_shot", "joint", "soup")}
    (output / seed).parent.mkdir(parents=True)
    (output / seed).write_text(json.dumps(kept | {"plan": plan, "systems": few}))


def score_all():
    """Decode and score what pages make a report of, or compare."""
    experts = ["exp/full_es/model", "exp/full_it/model"]
    em.merge(method="soup", base="exp/base", experts=experts, output="exp/soup/model")
    shutil.copytree("exp/base", "exp/zero_shot/model")
    for system in ("zero_shot", "full_es", "full_it", "soup"):
        for name in ("es_test", "it_test"):
            output = f"exp/{system}/inference_padded/{name}"
            data = [f"dump/raw/{name}"]
            em.decode(model=f"exp/{system}/model", data=data, output=[output])
            em.score(ref=data[0], hyp=[output])


def run(line: str) -> None:
    """Run a line of a page, or find that what it starts takes its options."""
    if line.startswith(SHELL):
        subprocess.run(["bash", "-euc", line], check=True)
        return
    program, *words = shlex.split(line)
    # As a shell does: a pattern without files stays as it is.
    words = [x for word in words for x in sorted(glob.glob(word)) or [word]]
    if program == "espnet-merge":
        try:
            main(words)
        except SystemExit as end:
            if (words[0], end.code) != ("gate", 3):  # it has found something worse
                raise
    elif program == "make":
        subprocess.run(
            ["make", "-n", *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
        )
    else:
        script = ROOT / program if program.startswith("egs2/") else RECIPE / program
        options = {w[2:] for w in words if w.startswith("--") and " " not in w}
        assert options <= known_options(script)
        for config in re.findall(r"--config (\S+)", line):
            assert (RECIPE / config).is_file()


@cache
def known_options(script: Path) -> set[str]:
    """Return the options that a script of a recipe says it has."""
    said = subprocess.run(
        [script, "--help"], cwd=RECIPE, check=True, capture_output=True, text=True
    ).stdout
    return set(re.findall(r"^--(\w+)", said, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_examples_run(page, tree):
    if page.stem in SCORED:
        score_all()
    for line in lines(page):
        if line not in INSTALLING:
            run(line)
    if page.stem == "merging":
        return  # it shows an interface, which test_pages.py compares with the code
    for code in blocks(page, "python"):
        exec(code, {})


def test_what_is_written_is_what_the_page_says(tree):
    for line in lines(DOCS / "start" / "pip.md"):
        if line not in INSTALLING:
            run(line)
    assert Path("exp/merged/hello/text").read_text().startswith("hello-1")
    assert Path("exp/merged/model/merge.yaml").is_file()


def test_lines_that_are_explained_are_printed():
    page = (DOCS / "troubleshooting.md").read_text("utf-8")
    explained = re.findall(r"^\| `(.+?)` \| ", page, re.MULTILINE)
    folders = (ROOT / "espnet_merge", ROOT / "egs2" / "TEMPLATE")
    files = [f for d in folders for kind in ("py", "sh") for f in d.rglob(f"*.{kind}")]
    # A message goes on in the next literal, and may be an f-string.
    code = re.sub(r'"\s+f?"', "", "\n".join(f.read_text("utf-8") for f in files))
    assert len(explained) > 25
    assert [line for line in explained if line not in code] == []
