"""A recipe where there is no clone: the wheel lays out what its scripts need."""

import os
from pathlib import Path

import pytest

from espnet_merge.__main__ import main
from espnet_merge.recipe import conf_file

ROOT = Path(__file__).parents[2]
WORDS = ("new-recipe", "egs2/corpus/merge1")


@pytest.fixture
def made(environment, tmp_path):
    done = environment.run(environment.command, *WORDS, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "egs2/corpus/merge1: now import a corpus into it" in done.stdout
    assert f"{tmp_path}/tools/install_espnet.sh gets ESPnet's scripts" in done.stdout
    return tmp_path


def test_the_tree_is_that_of_a_clone(made, environment):
    shared = ("conf", "local", "egs2/TEMPLATE")
    files = [file for name in shared for file in (ROOT / name).rglob("*.*")]
    files += [ROOT / "tools" / "espnet_root.sh", ROOT / "tools" / "install_espnet.sh"]
    assert len(files) > 70
    for file in files:
        copy = made / file.relative_to(ROOT)
        assert copy.read_bytes() == file.read_bytes()
        assert os.access(copy, os.X_OK) == os.access(file, os.X_OK)
    assert (made / ".venv" / "bin" / "espnet-merge").samefile(environment.command)


def test_its_scripts_run(made, environment):
    script = made / "egs2" / "corpus" / "merge1" / "run.sh"
    done = environment.run(script, "--help", cwd=made)
    assert "--merge_configs" in done.stdout
    done = environment.run(script, cwd=made)
    assert done.returncode == 2
    assert "run ../../../tools/install_espnet.sh, or set ESPNET_ROOT" in done.stderr
    # With ESPnet's scripts, of which this stage calls none, it comes to the data.
    stand_in = made / "egs2" / "TEMPLATE" / "asr1" / "utils" / "run.pl"
    stand_in.parent.mkdir(parents=True)
    stand_in.touch(0o755)
    done = environment.run(script, cwd=made, ESPNET_ROOT=str(made))
    assert done.returncode == 2
    assert "data/ must hold sets NAME_train; it holds none" in done.stderr


def test_it_knows_the_code_that_its_scores_are_of(made, environment):
    line = (
        "python=python3; . ./path.sh; . ../../TEMPLATE/merge1/result_stages.sh;"
        " code_of score"
    )
    told = []
    for root in (made, ROOT):
        recipe = next((root / "egs2").glob("[!T]*/merge1"))
        done = environment.run("bash", "-euo", "pipefail", "-c", line, cwd=recipe)
        assert (done.returncode, done.stderr) == (0, "")
        told.append(done.stdout)
    assert told[0] == told[1]
    assert int(told[0].split()[1]) > 100_000  # bytes


def test_what_is_there_stays(made, environment):
    done = environment.run(environment.command, *WORDS, cwd=made)
    assert done.returncode == 2
    assert "'egs2/corpus/merge1' must not exist yet" in done.stderr
    mine = made / "conf" / "train" / "full.yaml"
    mine.write_text("max_epoch: 1\n")
    words = ("new-recipe", "egs2/other/merge1")
    done = environment.run(environment.command, *words, cwd=made)
    assert done.returncode == 0
    assert done.stderr == (
        f"espnet-merge new-recipe: warning: {mine}: differs from what is shipped, and"
        " stays as it is.\n"
    )
    assert mine.read_text() == "max_epoch: 1\n"
    assert (made / "egs2" / "other" / "merge1" / "run.sh").exists()


def test_configurations_are_found_by_name(environment, tmp_path, monkeypatch):
    code = (
        "from espnet_merge.recipe import conf_file; print(conf_file('search', 'ties'))"
    )
    done = environment.run(environment.python, "-c", code, cwd=tmp_path)
    found = Path(done.stdout.strip())
    assert found.parts[-5:-3] == ("espnet_merge", "shipped")
    assert conf_file("search", "ties") == ROOT / "conf" / "search" / "ties.yaml"
    assert found.read_bytes() == conf_file("search", "ties").read_bytes()
    monkeypatch.chdir(tmp_path)
    Path("ties").touch()
    for own in ("ties", "none", "ties.yaml"):
        assert conf_file("search", own) == Path(own)


def test_the_place_is_checked(environment, tmp_path, capsys):
    words = ("new-recipe", "recipes/corpus/merge1")
    done = environment.run(environment.command, *words, cwd=tmp_path)
    assert done.returncode == 2
    assert "a recipe must be egs2/<corpus>/<name>, in a directory" in done.stderr
    assert list(tmp_path.iterdir()) == []
    # In a clone setup.sh says where.
    with pytest.raises(SystemExit) as end:
        main(["new-recipe", str(tmp_path / "egs2" / "corpus" / "merge1")])
    assert end.value.code == 2
    told = "new-recipe: error: a recipe must be egs2/<corpus>/<name>; got"
    assert told in capsys.readouterr().err
