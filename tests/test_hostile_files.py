"""Whatever is loaded, by whichever command: no code in a file is run."""

import ast
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from espnet_merge.__main__ import main
from espnet_merge.bin.whisper_train import main as whisper_train
from espnet_merge.checkpoint.adapter import open_adapter
from espnet_merge.checkpoint.padding import PUBLISHED
from espnet_merge.decode.router import Router
from espnet_merge.lora.adapter import base_digest
from espnet_merge.lora.mixture import add_mixture
from espnet_merge.lora.mixture_conf import MixtureConf
from espnet_merge.lora.stored_mixture import save_mixture
from espnet_merge.whisper.model import load_whisper
from tests import formats
from tests.hostile import check_hostile, write_hostile, write_pickle
from tests.speech import write_data
from tests.statistics_of import write_statistics
from tests.tasks.test_whisper import arguments

ROOT = Path(__file__).parents[1]
MADE = Path("made")
BASE, EXPERT = "exp/base", "exp/full_es/model"
DATA = "dump/raw/es_test"
DEVELOPMENT = "dump/raw/es_valid dump/raw/es_news_valid"
# Command of a whole model X -> its words; X may be any file of a model.
OF_MODELS = {
    "fetch": "fetch X --output out",
    "base of merge": f"merge --method soup --base X --experts {EXPERT} --output out",
    "expert of merge": f"merge --method soup --base {BASE} --experts X --output out",
    "inspect": f"inspect --base {BASE} --experts X {EXPERT}",
    "decode": f"decode --model X --data {DATA} --output out",
    "similarity": f"similarity --model X --data {DATA} dump/raw/it_test",
    "router": "router --model X --train es=dump/raw/es_train it=dump/raw/it_train"
    " --valid es=dump/raw/es_valid it=dump/raw/it_valid --output out",
    "export": f"export X --base {BASE} --output out",
}
# Of a Hugging Face directory X alone.
OF_DIRECTORIES = {
    "sweep": f"sweep --method soup --base {BASE} --experts X --output out",
    "language": "language --model X --add ast --like es --own --output out",
    "statistics": f"statistics --kind gram --model X --data {DATA} --output out",
    "align-heads": f"align-heads --model X --data {DATA}",
    "search": f"search --space conf/search/ties.yaml --base {BASE} --experts X {EXPERT}"
    f" --data {DEVELOPMENT} --output out",
    "learn": f"learn --base {BASE} --experts X {EXPERT} --data {DEVELOPMENT}"
    " --output out",
    "advise": f"advise --base {BASE} --experts X {EXPERT} --data {DEVELOPMENT}",
}
OF_ADAPTERS = {
    "expert of merge": f"merge --method soup --base {BASE} --experts X --output out",
    "inspect": f"inspect --base {BASE} --experts X {EXPERT}",
    "decode": f"decode --model {BASE} --adapter X --data {DATA} --output out",
    "decode, many": f"decode --model {BASE} --adapters es=X --data {DATA} --output out",
    "statistics": f"statistics --kind gram --model {BASE} --adapter X --data {DATA}"
    " --output out",
    "fetch": "fetch X --output out",
    "export": f"export X --base {BASE} --output out",
    "bundle": f"export {BASE} --to bundle --adapters es=X --output out",
}


@pytest.fixture(autouse=True)
def recipe(finished_recipe, tmp_path, monkeypatch):
    shutil.copytree(finished_recipe, tmp_path, dirs_exist_ok=True)
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    monkeypatch.chdir(tmp_path)


def bin_of_hf():
    formats.write_bin(Path(EXPERT), Path("x"))
    return Path("x"), Path("x/pytorch_model.bin")


def shard_of_hf():
    formats.write_bin(Path(EXPERT), Path("x"), 3)
    return Path("x"), Path("x/pytorch_model-00002-of-00003.bin")


def openai():
    file = formats.write_openai(Path(EXPERT), Path("x.pt"))
    return file, file


def of_lightning():
    """``state_dict`` beside the state of a training."""
    file = Path("x.ckpt")
    state = {"state_dict": formats.weights_of(Path(EXPERT)), "optimizer_states": []}
    torch.save(state, file)
    return file, file


def of_task():
    file = formats.write_task(Path(EXPERT), Path("x/10epoch.pth"), Path(BASE))
    return file, file


def of_espnet():
    file = formats.write_own(Path(EXPERT), Path("x/10epoch.pth"))
    return file, file


def adapter():
    directory = formats.write_adapter(Path("x"), Path(BASE))
    weights = load_file(directory / "adapter_model.safetensors")
    (directory / "adapter_model.safetensors").unlink()
    torch.save(weights, directory / "adapter_model.bin")
    return directory, directory / "adapter_model.bin"


DIRECTORIES = (bin_of_hf, shard_of_hf)
MODELS = (*DIRECTORIES, openai, of_lightning, of_task, of_espnet)
CASES = [
    *((kind, words) for kind in MODELS for words in OF_MODELS.items()),
    *((kind, words) for kind in DIRECTORIES for words in OF_DIRECTORIES.items()),
    *((adapter, words) for words in OF_ADAPTERS.items()),
]


def refused(words, capsys):
    """Run a command, which must end with status 2 and one line, and return that."""
    with pytest.raises(SystemExit) as stopped:
        main(words)
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert stopped.value.code == 2, error
    assert "error: " in error
    return error


@pytest.mark.parametrize(
    ("kind", "words"), CASES, ids=[f"{name}-{k.__name__}" for k, (name, _) in CASES]
)
def test_a_model(kind, words, capsys):
    given, file = kind()
    write_hostile(file, MADE)
    line = words[1].replace("X", str(given))
    assert "mkdir" in refused(line.split(), capsys)
    assert not Path("out").exists()
    check_hostile(file, MADE)


@pytest.mark.parametrize("name", ["training_args.bin", "optimizer.pt", "rng_state.pth"])
def test_what_a_trainer_leaves_beside_a_model_is_not_opened(name, capsys):
    file = write_pickle(Path(EXPERT) / name, MADE)
    main(f"merge --method soup --base {BASE} --experts {EXPERT} --output out".split())
    main(f"decode --model {EXPERT} --data {DATA} --output text".split())
    main(f"fetch {EXPERT} --output copy".split())
    main(f"export {EXPERT} --output exported".split())
    for place in ("out", "copy", "exported"):
        assert not (Path(place) / name).exists()
    check_hostile(file.rename("x.pickle"), MADE)


def test_weights_that_are_not_needed_are_not_opened():
    given, file = bin_of_hf()
    write_hostile(file, MADE)
    main(f"fetch {EXPERT} --tokenizer {given} --output out".split())
    main(f"validate --model {given} --data {DATA}".split())
    check_hostile(file, MADE)


def statistics():
    for name in ("es", "it"):
        write_statistics(Path(name), "fisher", {"x": np.ones(3)})
    experts = f"{EXPERT} exp/full_it/model --set statistics=[es,it] --output out"
    words = f"merge --method fisher --base {BASE} --experts {experts}"
    return Path("es/statistics.safetensors"), words


def router():
    digest = base_digest(load_whisper(Path(BASE)))
    weight, bias = np.zeros((2, 64), np.float32), np.zeros(2, np.float32)
    Path("router").mkdir()
    Router(("es", "it"), weight, bias, PUBLISHED, digest).save(Path("router"), {})
    formats.write_adapter(Path("es"), Path(BASE))
    words = f"decode --model {BASE} --adapters es=es it=es --router router"
    return Path("router/router.safetensors"), f"{words} --data {DATA} --output out"


def mixture():
    expert = open_adapter(formats.write_adapter(Path("es"), Path(BASE)))
    Path("mixture").mkdir()
    conf = MixtureConf(r=2)
    mixed = add_mixture(load_whisper(Path(BASE)), [expert, expert], conf)
    save_mixture(mixed, Path("mixture"))
    words = f"decode --model {BASE} --adapter mixture --data {DATA} --output out"
    return Path("mixture/mixture.safetensors"), words


def safetensors():
    words = f"merge --method soup --base {BASE} --experts {EXPERT} --output out"
    return Path(EXPERT) / "model.safetensors", words


@pytest.mark.parametrize("kind", [statistics, router, mixture, safetensors])
def test_a_pickle_under_another_name(kind, capsys):
    file, words = kind()
    write_pickle(file, MADE)
    assert str(file.parent) in refused(words.split(), capsys)
    check_hostile(file, MADE)


def train(*more):
    words = ("--max_epoch", "1", *more)
    whisper_train(arguments(Path(BASE), Path("data"), Path("exp/new"), *words))


@pytest.fixture
def data():
    write_data(Path("data/train"), count=4)
    write_data(Path("data/valid"), count=2)


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    "name", ["checkpoint.pth", "checkpoint.last.pth", "1epoch.pth"]
)
def test_what_a_training_resumes_from(name, capsys):
    """Weights, optimiser, schedule; and the models that ESPnet averages at the end."""
    train()
    exp = Path("exp/new")
    if name == "checkpoint.last.pth":  # of a run that was cut, which is taken instead
        (exp / "checkpoint.pth").rename(exp / name)
    write_hostile(exp / name, MADE)
    with pytest.raises(SystemExit) as stopped:
        train("--max_epoch", "2")
    assert stopped.value.code == 2
    assert "mkdir" in capsys.readouterr().err.strip().splitlines()[-1]
    check_hostile(exp / name.replace(".last", ""), MADE)


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("option", ["--whisper", "--init_adapter", "--init_adapters"])
def test_what_a_training_starts_from(option, capsys):
    given, file = bin_of_hf() if option == "--whisper" else adapter()
    write_hostile(file, MADE)
    lora = () if option == "--whisper" else ("--lora", "true", "--lora_conf", "r=2")
    value = (option, str(given))
    if option == "--init_adapters":
        value = ("--init_adapter", "es", option, f"es={given}")
    with pytest.raises(SystemExit) as stopped:
        train(*value, *lora)
    assert stopped.value.code == 2
    assert "mkdir" in capsys.readouterr().err.strip().splitlines()[-1]
    check_hostile(file, MADE)


# Whatever could unpickle, and the one place where it is restricted.
LOADERS = {"load", "loads", "read_pickle", "Unpickler"}
OF_PICKLES = {"pickle", "torch", "np", "numpy", "joblib", "dill", "pandas", "shelve"}
RESTRICTED = "espnet_merge/checkpoint/unpickle.py"


def loads(file):
    """Yield what a file of ours calls that could unpickle, but for the restricted."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=module), attr=name), keywords=given
            ) if module in OF_PICKLES and name in LOADERS:
                said = {one.arg: ast.unparse(one.value) for one in given}
                if module == "torch" and said.get("weights_only") == "True":
                    continue
                if module in ("np", "numpy") and "allow_pickle" not in said:
                    continue
                yield ast.unparse(node)
            case ast.keyword(arg="trust_remote_code" | "allow_pickle"):
                yield ast.unparse(node)


def test_no_code_of_ours_could_run_any():
    places = [ROOT / name for name in ("espnet_merge", "egs2", "local", "benchmarks")]
    files = [file for place in places for file in place.rglob("*.py")]
    assert len(files) > 200
    found = {str(file.relative_to(ROOT)): list(loads(file)) for file in files}
    assert {name: calls for name, calls in found.items() if calls} == {}
    assert "(pickle.Unpickler)" in (ROOT / RESTRICTED).read_text("utf-8")
