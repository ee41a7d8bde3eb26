"""Seeds kept in files make the table that their directories make."""

import json
from pathlib import Path

import pytest

from espnet_merge.__main__ import main
from espnet_merge.errors import InputError, InputWarning
from espnet_merge.report.runs import read_runs
from espnet_merge.report.seed_differences import SeedComparison
from espnet_merge.report.seed_files import load, save
from espnet_merge.report.seed_plan import SeedPlan
from espnet_merge.report.seeds import markdown
from tests.report.seeded import SETS, SHARES, rows_of, write_data, write_seed
from tests.report.test_seed_differences import PLAN


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("kept")
    write_data(place / "data")
    for seed in range(3):
        exp = place / f"seed_{seed}"
        write_seed(place / "data", exp, seed, SHARES)
        save(place / f"seed_{seed}.json", read_runs(rows_of([exp], SHARES)), PLAN, "x")
    return place


@pytest.fixture
def files(place):
    return [place / f"seed_{seed}.json" for seed in range(3)]


def changed(file, path, **changes):
    content = json.loads(file.read_text())
    path.write_text(json.dumps({**content, **changes}))
    return path


def test_the_table_of_files_is_that_of_directories(place, files):
    rows = rows_of([place / f"seed_{seed}" for seed in range(3)], SHARES)
    expected = list(markdown(SeedComparison(read_runs(rows), PLAN)))
    kept = load(files)
    assert SeedPlan.joined(kept.plans) == PLAN
    lines = list(markdown(SeedComparison(kept.runs, PLAN), kept.facts))
    assert lines[: len(expected)] == expected
    assert "in-domain (wer)" in lines[0]
    assert any("Language identified correctly" in line for line in lines)
    assert lines[-4] == "Made of:" or lines[-5] == "Made of:"
    assert lines[-1].startswith(
        f"- `{files[2]}`: 4 systems on 3 sets, by espnet_merge "
    )


def test_the_command_joins_what_it_saved(place, tmp_path, capsys):
    saved = []
    for seed in range(2):
        words = ["--base", "zero", "--baseline", "joint", "--merges", "soup", "ties"]
        for system, places in rows_of([place / f"seed_{seed}"], SHARES).items():
            words += ["--row", system, *map(str, places)]
        saved.append(str(tmp_path / f"{seed}.json"))
        words += ["--mean", "in-domain=en_a_test,en_b_test", "--save", saved[-1]]
        words += ["--made-of", "ties=density 0.2", "--made-of", "soup=a=b"]
        main(["seeds", *words, "--sets", *SETS, "--configuration", "short"])
        made_of = json.loads(Path(saved[-1]).read_text())["made_of"]
        assert made_of == {"ties": "density 0.2", "soup": "a=b"}
        out = capsys.readouterr().out
        assert out.startswith(f"{saved[-1]}: 4 systems on 3 sets, by espnet_merge")
    main(["seeds", "--load", *saved, "--output", str(tmp_path / "SEEDS.md")])
    table = capsys.readouterr().out
    assert (tmp_path / "SEEDS.md").read_text() == table
    assert table.startswith("| system | en_a_test (wer) | en_b_test (wer) | es-en_test")
    assert "### Difference to joint" in table
    main(["seeds", "--load", *saved, "--sets", "en_b_test", "--baseline", "ties"])
    table = capsys.readouterr().out
    assert table.startswith("| system | en_b_test (wer) | in-domain (wer) |")
    assert "### Difference to ties" in table
    for bad, message in (
        (["--load", *saved, "--row", "x", "y"], "either --row or --load"),
        (["--row", "x", "y"], "--row needs --sets"),
        (["--row", "x", "y", "--made-of", "x"], "--made-of must be SYSTEM=TEXT, each"),
        (["--load", *saved, "--save", "x"], "--save takes --row"),
        (["--load", *saved, "--mean", "en_a_test=en_b_test"], "a name that is no set"),
        (["--load", *saved, "--base", "none"], "--base must be of the systems, which"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(["seeds", *bad])
        assert caught.value.code == 2
        assert message in capsys.readouterr().err


def test_the_base_is_there_once_unless_machines_disagree(place, files, tmp_path):
    runs = load(files).runs
    assert {len(seeds) for seeds in runs["zero"].values()} == {1}
    assert {len(seeds) for seeds in runs["joint"].values()} == {3}
    content = json.loads(files[1].read_text())
    systems = content["systems"]
    systems["zero"] = {**systems["zero"], "en_a_test": systems["ties"]["en_a_test"]}
    other = changed(files[1], tmp_path / "other.json", systems=systems)
    runs = load([files[0], other, files[2]]).runs
    assert [*runs["zero"]["en_a_test"]] == ["seed_0", "other"]


def test_what_was_trained_once_is_there_once(files, tmp_path):
    """As experts of old languages, which are in the file of every seed."""
    content = json.loads(files[0].read_text())
    kept = [files[0]]
    for number in (1, 2):
        systems = json.loads(files[number].read_text())["systems"]
        systems["joint"] = content["systems"]["joint"]
        systems["soup"]["en_a_test"] = content["systems"]["soup"]["en_a_test"]
        path = tmp_path / f"seed_{number}.json"
        kept.append(changed(files[number], path, systems=systems))
    runs = load(kept).runs
    counts = {s: [len(seeds) for seeds in runs[s].values()] for s in ("joint", "soup")}
    assert counts == {"joint": [1, 1, 1], "soup": [1, 3, 3]}


def test_a_set_that_a_seed_lacks_is_left_out(files, tmp_path):
    systems = json.loads(files[1].read_text())["systems"]
    del systems["soup"]["en_b_test"]
    other = changed(files[1], tmp_path / "seed_1.json", systems=systems)
    message = "soup has en_b_test of seed_0, seed_2 and not of seed_1: left out; save"
    with pytest.warns(InputWarning, match=message):
        runs = load([files[0], other, files[2]]).runs
    assert sorted(runs["soup"]) == ["en_a_test", "es-en_test"]
    assert sorted(runs["joint"]) == ["en_a_test", "en_b_test", "es-en_test"]


def test_a_seed_may_have_several_files(files, tmp_path):
    whole = load(files)
    content = json.loads(files[1].read_text())
    split = [
        changed(
            files[1],
            tmp_path / name,
            systems={system: content["systems"][system] for system in systems},
            plan={**content["plan"], "merges": systems[-1:]},
        )
        for name, systems in (
            ("seed_1.json", ["zero", "joint", "ties"]),
            ("seed_1.later.json", ["zero", "soup"]),
        )
    ]
    found = load([files[0], *split, files[2]])
    plan = SeedPlan.joined(found.plans)
    assert sorted(plan.merges) == ["soup", "ties"]
    for system, row in whole.runs.items():
        for name, seeds in row.items():
            values = {seed: run.value for seed, run in seeds.items()}
            other = found.runs[system][name]
            assert {seed: run.value for seed, run in other.items()} == values


def test_files_that_do_not_belong_together_are_refused(files, tmp_path):
    first, second, _ = files
    other = tmp_path / "other.json"
    for changes, message in (
        ({"configuration": "y"}, "must have the configuration of .*, 'x'; has 'y'"),
        ({"rules_digest": "y"}, "must have the rules_digest of "),
        ({"normalizer": "none"}, "must have the normalizer of "),
        ({"format": 0}, "must be of format 1, which this version reads; is of 0"),
    ):
        with pytest.raises(InputError, match=message):
            load([first, changed(second, other, **changes)])
    with pytest.warns(InputWarning, match="in every system: is it a copy?"):
        load([first, changed(first, other)])
    (tmp_path / "b").mkdir()
    same = changed(second, tmp_path / "b" / first.name)
    message = "both are of seed_0 by their names; both have joint, soup, ties: leave"
    with pytest.raises(InputError, match=message):
        load([first, same])
    other.write_text("{")
    with pytest.raises(
        InputError, match="must be what 'espnet-merge seeds --save' wrote"
    ):
        load([other])


def test_a_system_is_made_in_one_way_in_all_seeds(place, files, tmp_path):
    runs = read_runs(rows_of([place / "seed_1"], SHARES))
    ways = {"one": {"ties": "density 0.2"}, "two": {"ties": "density 0.3"}, "no": {}}
    kept = {name: tmp_path / f"{name}.json" for name in ways}
    for name, made_of in ways.items():
        save(kept[name], runs, PLAN, "x", made_of)
    load([files[0], kept["one"]])  # of a version that did not note it
    with pytest.warns(InputWarning, match="is it a copy"):
        load([kept["no"], kept["one"]])
    message = (
        "must have ties made as in .*one.json, 'density 0.2'; it is by 'density 0.3'"
    )
    with (
        pytest.raises(InputError, match=message),
        pytest.warns(InputWarning, match="is it a copy"),
    ):
        load([kept["one"], kept["two"]])
    with pytest.raises(InputError, match="--made-of must name systems of --row; tise"):
        save(tmp_path / "x.json", runs, PLAN, "x", {"tise": "density 0.2"})
    assert not (tmp_path / "x.json").exists()


@pytest.mark.parametrize("what", ["set", "mode", "length", "letter"])
def test_seeds_on_other_sets_or_in_other_modes_are_refused(files, tmp_path, what):
    content = json.loads(files[1].read_text())
    row = content["systems"]["soup"]
    if what == "set":
        content["sets"]["en_a_test"]["digest"] = "y"
        message = r"must be of the same set as .*seed_0.json, with .* digest; has y"
    elif what == "mode":
        content["modes"][0]["mode"]["beam"] = 5
        message = r"must be decoded as .*seed_0.json was, with beam 1; got 5"
    elif what == "length":
        row["en_a_test"] += ",1"
        message = "soup must have 60 utterances of en_a_test; has 61"
    else:
        row["en_a_test"] += "!"
        message = "packed numbers must be of letters, digits, ~ and ,; got '!'"
    other = changed(files[1], tmp_path / "other.json", **content)
    with pytest.raises(InputError, match=message):
        list(markdown(SeedComparison(load([files[0], other]).runs, PLAN)))


def test_one_file_is_of_one_seed(place, tmp_path):
    rows = rows_of([place / "seed_0", place / "seed_1"], SHARES)
    with pytest.raises(
        InputError, match=r"--save takes one seed, .*; joint has two of en"
    ):
        save(tmp_path / "x.json", read_runs(rows), PLAN, "")
    assert not (tmp_path / "x.json").exists()


def test_plans_that_disagree_are_told():
    one = SeedPlan(sets=["a", "b"], means={"all": ["a"]}, base="zero", merges=["x"])
    two = SeedPlan(sets=["c", "a"], means={"all": ["a"]}, base="zero", merges=["y"])
    joined = SeedPlan.joined([one, two])
    assert (joined.sets, joined.merges) == (["a", "b", "c"], ["x", "y"])
    for other, message in (
        (SeedPlan(means={"all": ["b"]}, base="zero"), "all; it is of a and of b: say"),
        (SeedPlan(base="none"), "must have one base; they have none and zero"),
    ):
        with pytest.raises(InputError, match=message):
            SeedPlan.joined([one, other])


def test_a_file_is_small(tmp_path):
    # 35 systems on a thousand utterances of eight words, 17 % of them wrong.
    write_data(tmp_path / "data", 333)
    shares = {f"system{i}": 0.17 for i in range(3)}
    write_seed(tmp_path / "data", tmp_path / "exp", 0, shares)
    runs = read_runs(rows_of([tmp_path / "exp"], shares))
    sizes = []
    for count in (1, 3):
        some = dict(list(runs.items())[:count])
        save(tmp_path / "x.json", some, SeedPlan(sets=list(SETS)), "")
        sizes.append((tmp_path / "x.json").stat().st_size)
    a_system = (sizes[1] - sizes[0]) / 2
    assert sizes[0] + 34 * a_system < 150_000
