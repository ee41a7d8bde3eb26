"""What ``objectives_conf`` may say."""

import math
from pathlib import Path

import pytest
import yaml

from espnet_merge.errors import InputError
from espnet_merge.objectives.conf import Schedule, read_conf
from espnet_merge.objectives.modo import MoDo

ROOT = Path(__file__).parents[2]

KINDS = {
    ("transcribe", "es"),
    ("transcribe", "it"),
    ("transcribe", "en"),
    ("translate", "es"),
    ("translate", "it"),
}
PAIR = {"a": {"task": "transcribe"}, "b": {"task": "translate"}}


def test_objectives_by_language_where_there_is_data():
    given = {
        "objectives": {
            "asr": {"task": "transcribe", "by_language": True},
            "st": {"task": "translate", "by_language": True},
            "u": {"loss": "best_rq"},
        },
        "levels": [
            {"objectives": ["asr"]},
            {"objectives": ["st"], "weight": {"first": 0.1, "rise": 0.02}},
            {"objectives": ["u"], "weight": {"first": 0.0, "rise": 0.02}},
        ],
    }
    conf = read_conf(given, KINDS)
    assert conf.names == ["asr_en", "asr_es", "asr_it", "st_es", "st_it", "u"]
    assert [level.members for level in conf.levels] == [(0, 1, 2), (3, 4), (5,)]
    assert conf.objectives["st_es"].takes("translate", "es")
    assert not conf.objectives["st_es"].takes("translate", "it")
    assert conf.solver == MoDo()
    # Alone in its level there is nothing to be weighed: one sample is enough.
    assert [conf.samples(i) for i in range(6)] == [2, 2, 2, 2, 2, 1]
    third = [1 / 3] * 3
    assert conf.static_weights(1) == pytest.approx([*third, 0.05, 0.05, 0.0])
    assert conf.static_weights(3) == pytest.approx([*third, 0.07, 0.07, 0.04])


def test_the_weight_rises_by_epoch_up_to_the_cap():
    schedule = Schedule(first=0.0, rise=0.5, cap=1.2)
    assert [schedule.at(epoch) for epoch in (1, 2, 3, 4)] == [0.0, 0.5, 1.0, 1.2]


def test_a_short_run_sees_the_whole_schedule_at_a_greater_pace():
    levels = [
        {"objectives": ["a"]},
        {"objectives": ["b"], "weight": {"first": 0.1, "rise": 0.02}},
    ]
    given = {"objectives": PAIR, "levels": levels, "pace": 19}
    conf = read_conf(given, KINDS)
    etas = [conf.etas(epoch) for epoch in (1, 2, 5)]
    assert etas == [[1.0, 0.1], [1.0, pytest.approx(0.48)], [1.0, 1.5]]
    assert conf.static_weights(2) == [1.0, pytest.approx(0.48)]
    for pace in (0, -1, math.inf, math.nan):
        with pytest.raises(InputError, match="pace"):
            read_conf({**given, "pace": pace}, KINDS)


def test_every_shipped_configuration_builds():
    files = sorted((ROOT / "conf" / "train").glob("objectives_*.yaml"))
    assert len(files) == 5
    for file in files:
        conf = read_conf(yaml.safe_load(file.read_text())["objectives_conf"], KINDS)
        assert (conf.solver is None) == (file.stem == "objectives_static")


def test_one_level_by_default():
    conf = read_conf({"objectives": PAIR, "solver": "static"}, KINDS)
    assert [level.members for level in conf.levels] == [(0, 1)]


def test_a_level_may_have_a_constant_weight():
    levels = [{"objectives": ["a"]}, {"objectives": ["b"], "weight": 2}]
    conf = read_conf({"objectives": PAIR, "levels": levels}, KINDS)
    assert conf.static_weights(1) == conf.static_weights(9) == [1.0, 2.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objectives": {"a": PAIR["a"]}}, "at least two objectives; got 1"),
        ({"objectives": {}}, "at least two objectives; got 0"),
        ({"objectives": PAIR | {"c": {"language": "ru"}}}, "c must have utterances"),
        ({"objectives": PAIR | {"c": {"tsk": "x"}}}, "objective c may have task,"),
        ({"objectives": PAIR | {"c": {"loss": "ctc"}}}, "loss must be one of"),
        ({"objectives": PAIR | {"c": {"task": "("}}}, "task must be a regular"),
        ({"objectives": PAIR | {"c": "transcribe"}}, "objective c must be keys"),
        ({"levels": [{"objectives": ["a"]}]}, "levels must hold each objective once"),
        ({"levels": [{"objectives": ["a", "b"], "eta": 1}]}, "objectives and weight"),
        ({"levels": [["a", "b"]]}, "a level must be keys with values"),
        (
            {"levels": [{"objectives": ["a", "b"], "weight": {"first": 2}}]},
            "0 <= first <= cap",
        ),
        ({"solver": "xx"}, "solver must be one of"),
        ({"shared": "["}, "shared must be a regular"),
        ({"layers": {"every": 0}}, "every >= 1"),
        ({"layers": {"evry": 5}}, "layers may have select, every, warm_up"),
        ({"gamma": 5}, "objectives_conf may have objectives"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(InputError, match=message):
        read_conf({"objectives": PAIR} | change, KINDS)
