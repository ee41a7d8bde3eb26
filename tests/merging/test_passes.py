"""Many threads, many settings, many jobs: always the bytes of one merge."""

import functools
import shutil

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file
from threadpoolctl import threadpool_info, threadpool_limits

from espnet_merge.__main__ import main
from espnet_merge.merging import inputs
from espnet_merge.methods import METHODS
from tests.checkpoint.build import fine_tuned, whisper_tensors, write_checkpoint
from tests.formats import write_fine_tuned
from tests.micro import write_micro_whisper
from tests.statistics_of import KINDS, statistics_of


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Pieces so small that threads have something to do.
    monkeypatch.setattr("espnet_merge.merging.inputs.CHUNK_ENTRIES", 16)
    base = whisper_tensors()
    write_checkpoint(tmp_path / "base", base, vocabulary={"a": 0})
    for seed in (1, 2):
        write_checkpoint(tmp_path / f"e{seed}", fine_tuned(base, seed))
    return tmp_path


def call(command, *options, output="out", experts=("e1", "e2")):
    inputs = ("--base", "base", "--experts", *experts, "--output", str(output))
    main([command, *inputs, *options])


def content(directory):
    return {file.name: file.read_bytes() for file in sorted(directory.iterdir())}


def refuses(capsys, *arguments):
    with pytest.raises(SystemExit) as exit:
        main(list(map(str, arguments)))
    assert exit.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("method", METHODS)
def test_the_bytes_do_not_depend_on_the_number_of_threads(models, method):
    options = ["--method", method]
    if method in KINDS:
        places = statistics_of(models, KINDS[method], "base", ("e1", "e2"))
        options += ["--set", f"statistics=[{','.join(places)}]"]
    for jobs in ("1", "4"):
        call("merge", *options, "--jobs", jobs, output=jobs)
    assert content(models / "1") == content(models / "4")


def test_a_survey_of_the_whole_model_has_threads_too(models):
    for jobs in ("1", "3"):
        options = ("--set", "trim=global", "--jobs", jobs)
        call("merge", "--method", "ties", *options, output=jobs)
    assert content(models / "1") == content(models / "3")


def test_a_tall_matrix_comes_in_pieces_of_rows(models, monkeypatch):
    options = ("--method", "boosted_tsv_m", "--set", "spectral=all_2d")
    call("merge", *options, output="whole")
    monkeypatch.setattr("espnet_merge.methods._align.LARGE", 90)
    for jobs in ("1", "3"):
        call("merge", *options, "--jobs", jobs, output=jobs)
    assert content(models / "1") == content(models / "3")
    call("sweep", *options, "--grid", "beta=0.3,0.9", output="sweep")
    name = "model.safetensors"
    swept = models / "sweep" / "boosted_tsv_m-beta=0.3" / name
    assert swept.read_bytes() == (models / "1" / name).read_bytes()
    whole, chunks = (load_file(models / x / name) for x in ("whole", "1"))
    for tensor, values in whole.items():
        np.testing.assert_allclose(chunks[tensor], values, atol=1e-7)


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_each_result_of_a_sweep_is_that_of_a_merge(models, jobs):
    (models / "sharp.yaml").write_text("method: tsv_m\nparams: {scale: 9}\n")
    (models / "whole.yaml").write_text("method: iso_c\nparams: {spectral: all_2d}\n")
    call(
        "sweep",
        *("--config", "sharp.yaml", "whole.yaml", "--method", "soup", "ties", "pcb"),
        *("--jobs", jobs),
        output="sweep",
    )
    single = {
        "sharp": ("--config", "sharp.yaml"),
        "whole": ("--config", "whole.yaml"),
        **{name: ("--method", name) for name in ("soup", "ties", "pcb")},
    }
    assert {path.name for path in (models / "sweep").iterdir()} == single.keys()
    for name, options in single.items():
        call("merge", *options, output=name)
        assert content(models / name) == content(models / "sweep" / name)


def test_a_grid_is_all_pairs(models):
    call(
        "sweep",
        *("--method", "task_arithmetic", "--set", "scale=7"),
        *("--grid", "scale=0.5,1", "weights=[1, 2],[2, 1]"),
        output="grid",
    )
    found = {
        path.name: yaml.safe_load((path / "merge.yaml").read_text())["params"]
        for path in (models / "grid").iterdir()
    }
    assert found == {
        f"task_arithmetic-scale={scale}-weights=[{a},{b}]": {
            "scale": scale,
            "weights": [a, b],
        }
        for scale in (0.5, 1)
        for a, b in ((1, 2), (2, 1))
    }


def test_sweeps_that_are_refused(models, capsys):
    inputs = ("--base", "base", "--experts", "e1", "e2", "--output", "s")
    cases = {
        ("--grid", "scale=1"): "give at least one --method or --config",
        ("--method", "soup", "soup"): "soup: two settings of one name",
        ("--method", "ties", "--grid", "density"): "--grid takes KEY=VALUE",
        ("--method", "ties", "--grid", "density=["): "not valid YAML",
        ("--method", "ties", "--grid", "scale=1", "scale=2"): "given twice",
        ("--method", "ties", "--grid", "density=0.1,3"): "density must lie in",
        ("--method", "ties", "--jobs", "0"): "jobs must be a whole number >= 1; got 0",
    }
    for options, message in cases.items():
        assert message in refuses(capsys, "sweep", *inputs, *options)
    assert not (models / "s").exists()


def shard(number, count, *options, method="ties"):
    call("merge", "--method", method, "--shard", f"{number}/{count}", *options)


@pytest.mark.parametrize("method", ["soup", "tsv_m", "pcb"])
@pytest.mark.parametrize("count", [1, 3, 12])
def test_parts_join_into_the_bytes_of_a_single_run(models, method, count):
    for number in range(count, 0, -1):
        shard(number, count, method=method)
    assert not (models / "out").exists()
    main(["join", "--output", "out"])
    assert not (models / "out.parts").exists()
    call("merge", "--method", method, output="single")
    assert content(models / "out") == content(models / "single")


def test_a_finished_part_is_not_made_again_and_a_missing_one_is(models, capsys):
    shard(1, 2)
    part = models / "out.parts" / "1-of-2" / "model.safetensors"
    before = part.stat().st_ino
    shard(1, 2)
    assert part.stat().st_ino == before
    assert "was there already" in capsys.readouterr().out
    assert "2-of-2: is missing" in refuses(capsys, "join", "--output", "out")
    (models / "out.parts" / ".2-of-2.away-1-1-0123abcd.partial").mkdir()
    shard(2, 2)
    main(["join", "--output", "out"])
    assert (models / "out" / "merge.yaml").is_file()


def test_parts_of_two_merges_do_not_join(models, capsys):
    shard(1, 2)
    shard(2, 2, "--set", "scale=2")
    assert "is of another merge" in refuses(capsys, "join", "--output", "out")
    with pytest.raises(SystemExit):
        shard(2, 2)
    assert "is of another merge" in capsys.readouterr().err
    shard(2, 2, "--overwrite")
    part = models / "out.parts" / "1-of-2" / "model.safetensors"
    damaged = bytearray(part.read_bytes())
    damaged[-1] ^= 1
    part.write_bytes(damaged)
    assert "the tensors are not those of" in refuses(capsys, "join", "--output", "out")
    assert not (models / "out").exists()


def test_parts_that_are_refused(models, capsys):
    for text in ("0/2", "3/2", "1", "a/b"):
        with pytest.raises(SystemExit):
            call("merge", "--method", "soup", "--shard", text)
        assert "--shard takes i/n" in capsys.readouterr().err
    assert "holds no parts" in refuses(capsys, "join", "--output", "out")


@pytest.mark.parametrize("method", ["soup", "dare", "lors"])
def test_replay_proves_the_same_bytes(models, method, capsys):
    call("merge", "--method", method, "--dtype", "float16")
    before = content(models / "out")
    main(["replay", "out/merge.yaml"])
    assert "same inputs, same bytes" in capsys.readouterr().out
    main(["replay", "out", "--output", "again", "--jobs", "2"])
    assert content(models / "again") == before


def test_replay_says_what_has_changed(models, capsys):
    call("merge", "--method", "soup")
    record = models / "out" / "merge.yaml"
    text = record.read_text()
    other = text.replace(yaml.safe_load(text)["result"]["crc32"], "00000000")
    alone = models / "merge.yaml"  # without what is stored
    alone.write_text(other)
    assert "another processor" in refuses(capsys, "replay", alone, "--output", "o")
    alone.write_text(other.replace("  numpy: ", "  numpy: 0"))
    assert "numpy 0" in refuses(capsys, "replay", alone, "--output", "o")
    write_checkpoint(models / "e2", fine_tuned(whisper_tensors(), 7))
    message = refuses(capsys, "replay", "out", "--output", "o")
    assert "e2: model.safetensors has changed since the merge" in message
    shutil.rmtree(models / "e1")
    assert "e1: an input of the merge is gone" in refuses(capsys, "replay", "out")
    record.write_text("method: soup\n")
    assert "is no record of a merge" in refuses(capsys, "replay", "out")
    record.unlink()
    assert "no such file" in refuses(capsys, "replay", "out")
    assert not (models / "o").exists()


SOUP = ("--method", "soup")


def damage(file, *, whole):
    """Change a bit of a tensor, or cut the file off."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 64
    file.write_bytes(content if whole else content[:-8])


@pytest.mark.parametrize("form", ["hf", "openai", "espnet"])
def test_replay_looks_at_what_is_stored(tmp_path, monkeypatch, form, capsys):
    monkeypatch.chdir(tmp_path)
    base = write_micro_whisper(tmp_path / "base")
    for number in (1, 2):
        write_fine_tuned(base, tmp_path / f"e{number}", number)
    call("merge", "--method", "soup", "--dtype", "float16", "--format", form)
    main(["replay", "out"])
    main(["replay", "out", "--stored"])
    out = capsys.readouterr().out
    assert "same inputs, same bytes" in out
    assert "the same bytes are stored" in out
    before = content(tmp_path / "out")
    names = {"hf": "model.safetensors", "openai": "model.pt", "espnet": "model.pth"}
    file = tmp_path / "out" / names[form]
    recorded = yaml.safe_load((tmp_path / "out" / "merge.yaml").read_text())["bytes"]
    assert recorded == {file.name: file.stat().st_size}
    damage(file, whole=True)
    for options in ((), ("--stored",), ("--output", "again")):
        message = refuses(capsys, "replay", "out", *options)
        assert "out: the tensors are not those of its merge.yaml" in message
    main(["replay", "out", "--output", "out", "--overwrite"])
    assert content(tmp_path / "out") == before
    shutil.move(tmp_path / "out" / "merge.yaml", tmp_path)
    main(["replay", "merge.yaml"])
    assert "bytes, as merge.yaml beside it says; it has 0" in refuses(
        capsys, "replay", "merge.yaml", "--stored"
    )


def test_an_input_of_another_size_than_recorded_is_refused(models, capsys):
    call("merge", "--method", "soup")
    file = models / "out" / "model.safetensors"
    size = file.stat().st_size
    damage(file, whole=False)
    again = ("--base", "base", "--experts", "out", "--output", "new")
    message = refuses(capsys, "merge", *SOUP, *again)
    assert f"{file.name}: must have {size} bytes, as merge.yaml beside" in message
    assert f"it has {size - 8}" in message
    file.unlink()
    main(["replay", "out"])
    assert "nothing is stored beside it" in capsys.readouterr().out
    (models / "out" / "merge.yaml").write_text("- a list")
    assert "merge.yaml: must say what" in refuses(capsys, "merge", *SOUP, *again)


@pytest.fixture(params=["stand-in", pytest.param("GPU", marks=pytest.mark.gpu)])
def gpu(request, monkeypatch):
    """A GPU, or torch on the CPU in its place, where the CPU would have numpy."""
    if request.param == "stand-in":
        monkeypatch.setattr("torch.cuda.is_available", lambda: True)
        as_torch = functools.partial(inputs._as_torch, device="cpu")
        monkeypatch.setattr(inputs, "_as_torch", lambda array, device: as_torch(array))


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("method", ["tsv_m", "boosted_tsv_m", "iso_c"])
def test_a_gpu_computes_what_the_cpu_does(models, method):
    for device in ("cpu", "cuda"):
        call("merge", "--method", method, "--device", device, output=device)
    one, other = (load_file(models / x / "model.safetensors") for x in ("cpu", "cuda"))
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_allclose(other[name], values, atol=1e-5)


def test_a_device_that_is_not_there_is_named(models, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for method, message in (("tsv_m", "finds no GPU"), ("soup", "no matrix is")):
        with pytest.raises(SystemExit):
            call("merge", "--method", method, "--device", "cuda")
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("method", ["tsv_m", "iso_c", "regmean", "wudi", "dare"])
def test_a_library_computes_in_the_thread_that_asks(models, method, monkeypatch):
    options = ["--method", method]
    if method in KINDS:
        places = statistics_of(models, KINDS[method], "base", ("e1", "e2"))
        options += ["--set", f"statistics=[{','.join(places)}]"]
    kind, threads = METHODS[method], set()
    merge = kind.__call__

    def look(self, tensors, info):
        threads.update(pool["num_threads"] for pool in threadpool_info())
        return merge(self, tensors, info)

    monkeypatch.setattr(kind, "__call__", look)
    with threadpool_limits(2):
        call("merge", *options)
    assert threads == {1}
