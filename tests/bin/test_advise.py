"""Advice on micro models, of real recordings."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from safetensors.torch import load_file, save_file

import espnet_merge as em
from espnet_merge.__main__ import main
from espnet_merge.advice import question, trial
from tests.lora.test_routed import write_adapter
from tests.speech import write_data

EXPERTS = ("exp/full_es/model", "exp/full_it/model")
DATA = ("dump/raw/es_dev", "dump/raw/it_dev")


@pytest.fixture(autouse=True)
def recipe(finished_recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(finished_recipe, tmp_path / "recipe"))
    for language, count in (("es", 2), ("it", 3)):
        data = Path(f"dump/raw/{language}_dev")
        write_data(data, languages=[language], count=count)
    Path("decode.yaml").write_text("{pad_to: 0, max_new_tokens: 5}")


def advise(*words, data=DATA, experts=EXPERTS, output="exp/advice"):
    main(
        [
            *("advise", "--base", "exp/base", "--experts", *experts, "--data", *data),
            *("--decode-config", "decode.yaml", "--output", output, "--jobs", "1"),
            *words,
        ]
    )
    return json.loads(Path(output, "advice.json").read_text("utf-8"))


def refused(capsys, *words, **others):
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        advise(*words, **others)
    assert stop.value.code == 2
    [line] = capsys.readouterr().err.splitlines()[-1:]
    assert line.startswith("espnet-merge advise: error: ")
    return line


@pytest.fixture
def hypotheses(monkeypatch):
    """Let systems say what is asked for: so many of the reference's words."""

    def say(**shares):
        def records(self, utterances):
            weights = self.whisper.state_dict()[NAME]
            (system,) = (
                name for name, own in KNOWN.items() if abs(own - weights).max() < 1e-6
            )
            share = shares["own" if system in EXPERTS else system]
            # Experts hear Latin, which nobody asks them.
            language = "la" if system in EXPERTS else None
            return {
                u.name: {
                    "text": _part(TEXTS[u.name], share),
                    "heard": language or u.language,
                }
                for u in utterances
            }

        known = {name: load_file(f"{name}/model.safetensors") for name in EXPERTS}
        base = load_file("exp/base/model.safetensors")[NAME]
        KNOWN.update({name: own[NAME] for name, own in known.items()})
        KNOWN.update(base=base, merged=sum(own[NAME] for own in known.values()) / 2)
        for data in DATA:
            lines = Path(data, "text").read_text("utf-8").splitlines()
            TEXTS.update(line.split(" ", 1) for line in lines)
        monkeypatch.setattr(trial.Listener, "records", records)

    return say


NAME = "model.encoder.layers.0.fc1.weight"
KNOWN, TEXTS = {}, {}


def _part(text, share):
    words = text.split()
    return " ".join(words[: round(share * len(words))])


def test_systems_are_those_of_merge_and_decode_and_score(capsys):
    found = advise("--utterances", "99")
    printed = capsys.readouterr().out
    assert printed.startswith(f"{found['advice']}: {found['why']}\n  rule: ")
    assert found["utterances"] == {"es_dev": 2, "it_dev": 3}
    em.merge(method="soup", base="exp/base", experts=EXPERTS, output="exp/soup")
    expected = {}
    for system, models in {
        "base": ["exp/base"] * 2,
        "own": EXPERTS,
        "merged": ["exp/soup"] * 2,
    }.items():
        for model, data in zip(models, DATA, strict=True):
            output = f"out/{system}/{Path(data).name}"
            em.decode(
                model=model, data=[data], output=[output], pad_to=0, max_new_tokens=5
            )
            scores = em.score(ref=data, hyp=[output])[output]["metrics"]["wer"]
            wrong = scores["normalized"]
            errors = wrong["substitutions"] + wrong["deletions"] + wrong["insertions"]
            expected.setdefault(Path(data).name, {})[system] = errors
    for name, errors in expected.items():
        assert found["errors"][name].items() >= errors.items()


@pytest.mark.parametrize(
    ("shares", "choice"),
    [
        ({"base": 0.0, "own": 1.0, "merged": 1.0}, "merge all"),
        ({"base": 0.0, "own": 1.0, "merged": 0.0}, "route"),
        ({"base": 1.0, "own": 0.0, "merged": 1.0}, "keep the base"),
    ],
)
def test_hypotheses_decide(hypotheses, shares, choice):
    hypotheses(**shares)
    found = advise("--utterances", "2")
    assert found["advice"] == choice
    held = next(rule["name"] for rule in found["rules"] if rule["holds"])
    assert held == found["rule"]
    assert found["heard"] == {"es_dev": {"es": 2}, "it_dev": {"it": 2}}
    files = {path.name for path in Path("exp/advice").iterdir()}
    assert files == {"advice.json"} | (
        {"advised.yaml"} if choice == "merge all" else set()
    )


def test_what_is_advised_can_be_merged(hypotheses):
    hypotheses(base=0.0, own=1.0, merged=1.0)
    advise("--utterances", "2")
    main(["merge", "--config", "exp/advice/advised.yaml", "--output", "exp/merged"])
    record = yaml.safe_load(Path("exp/merged/merge.yaml").read_text())
    assert record["method"] == "soup"
    assert [one["path"] for one in record["experts"]] == list(EXPERTS)


def test_experts_that_pull_apart_are_merged_in_groups():
    base = load_file("exp/base/model.safetensors")
    moved = load_file(f"{EXPERTS[0]}/model.safetensors")
    shutil.copytree("exp/full_es", "exp/full_ru")
    opposite = {k: 2 * base[k] - 1.1 * moved[k] + 0.1 * base[k] for k in base}
    file = "exp/full_ru/model/model.safetensors"
    save_file(opposite, file, metadata={"format": "pt"})
    write_data(Path("dump/raw/ru_dev"), languages=["ru"], count=3)
    found = advise(
        *("--utterances", "2"),
        data=(*DATA, "dump/raw/ru_dev"),
        experts=(*EXPERTS, "exp/full_ru/model"),
    )
    assert found["groups"] == [["full_es", "full_it"], ["full_ru"]]
    tried = {choice["choice"]: choice["rate"] for choice in found["choices"]}
    assert tried["merge groups"] is not None
    # A group of one is its expert.
    assert found["errors"]["ru_dev"]["grouped"] == found["errors"]["ru_dev"]["own"]


def test_the_base_hears_the_silence_that_it_was_trained_with():
    for expert in EXPERTS:
        Path(expert, "export.yaml").write_text("{pad_to: 0.0, tail: 0.5}\n")
    Path("decode.yaml").write_text("max_new_tokens: 5")
    heard = []

    def records(self, utterances):
        heard.append((self.settings.hear, *self.settings.padding))
        return {u.name: {"text": "", "heard": u.language} for u in utterances}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trial.Listener, "records", records)
        advise("--utterances", "1")
    assert heard.count((True, 30.0, 0.0)) == 2  # to see how long it takes, and then
    assert heard.count((False, 0.0, 0.5)) == len(heard) - 2 == 4


def test_adapters_cost_few_parameters():
    experts = [Path("exp/lora_es"), Path("exp/lora_it")]
    for seed, expert in enumerate(experts):
        write_adapter(Path("exp/base"), expert, seed, {"r": 2})
    found = advise("--utterances", "1", experts=map(str, experts))
    held = {choice["choice"]: choice["parameters"] for choice in found["choices"]}
    assert held["merge all"] < held["route"] < 1.1 * held["merge all"]
    own = load_file(experts[0] / "adapter_model.safetensors")
    more = 2 * sum(factor.numel() for factor in own.values()) / 1e6
    assert held["route"] == pytest.approx(held["merge all"] + more)


def test_as_much_is_decoded_as_there_is_time_for(monkeypatch):
    """On a clock that stands, all that is measured takes a tenth of a second."""
    clock = SimpleNamespace(process_time=lambda: 1000.0)
    monkeypatch.setattr(trial, "time", clock)
    monkeypatch.setattr(question, "time", clock)
    monkeypatch.setattr(trial, "_timed", lambda call: (call(), 0.1)[1])
    write_data(Path("dump/raw/ru_dev"), languages=["ru"], count=15)
    found = advise("--seconds", "4", data=("dump/raw/it_dev", "dump/raw/ru_dev"))
    # Base and two experts are taken into the network, 0.1 s each; three systems decode
    # two sets, 0.05 s an utterance: 0.8 (4 - 0.3) / 0.3.
    assert found["utterances"] == {"it_dev": 3, "ru_dev": 9}
    again = advise(
        *("--seconds", "1.2", "--overwrite"),
        data=("dump/raw/it_dev", "dump/raw/ru_dev"),
    )
    assert again["utterances"] == {"it_dev": 2, "ru_dev": 2}
    assert again["unsure"].startswith("not sure: of a set only 2 utterances were")


@pytest.mark.parametrize(
    ("words", "data", "said"),
    [
        ((), DATA[:1], "must name a set for each expert, in their order"),
        ((), ("dump/raw/es_test", DATA[1]), "by its name it is a test set"),
        (("--utterances", "0"), DATA, "utterances must be a whole number >= 1"),
        (("--method", "soop"), DATA, "did you mean 'soup'"),
    ],
)
def test_bad_options_are_one_line(capsys, words, data, said):
    assert said in refused(capsys, *words, data=data)
    assert not Path("exp/advice").exists()


def test_sets_that_share_names_of_utterances_are_refused(capsys):
    shutil.rmtree(DATA[1])
    shutil.copytree(DATA[0], DATA[1])
    assert "an utterance must have a name of its own in all sets" in refused(capsys)


def test_sets_of_translations_and_older_advice_are_refused(capsys):
    table = Path(DATA[1], "utt2task")
    table.write_text(table.read_text().replace("transcribe", "translate"))
    assert "is a set of translations" in refused(capsys)
    Path("exp/advice").mkdir()
    assert "exp/advice: exists; give another --output" in refused(capsys)
