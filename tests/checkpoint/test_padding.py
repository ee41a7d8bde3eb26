"""What models say of the silence that they were trained with; see tests/tasks, too."""

import pytest
import yaml

from espnet_merge.checkpoint.padding import PUBLISHED, Padding, padding_of

TAIL = {"pad_to": 0.0, "tail": 4.0}
PADDED = {"pad_to": 30.0, "tail": 0.0}


def write(path, **content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return path.parent


def test_an_exported_model_and_a_checkpoint_say_it(tmp_path):
    model = write(tmp_path / "model" / "export.yaml", checkpoint="x", **TAIL)
    assert padding_of(model) == Padding(0, 4)
    training = write(tmp_path / "training" / "config.yaml", whisper="base", **PADDED)
    (training / "1epoch.pth").touch()
    assert padding_of(training / "1epoch.pth") == PUBLISHED
    checkpoint = str(training / "valid.loss.ave.pth")
    older = write(tmp_path / "older" / "export.yaml", checkpoint=checkpoint)
    assert padding_of(older) == PUBLISHED
    assert padding_of(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("experts", "expected"),
    [
        ([TAIL, TAIL], Padding(0, 4)),
        ([PADDED, PADDED], PUBLISHED),
        ([TAIL, PADDED], PUBLISHED),
        ([TAIL, {}], PUBLISHED),
        ([{}, {}], None),
    ],
)
def test_a_merge_is_as_its_experts(tmp_path, experts, expected):
    paths = [
        {"path": str(write(tmp_path / str(n) / "export.yaml", checkpoint="x", **own))}
        for n, own in enumerate(experts)
    ]
    # That of an older version, which named its experts alone.
    assert padding_of(write(tmp_path / "m" / "merge.yaml", experts=paths)) == expected


def test_the_record_of_a_merge_needs_no_experts(tmp_path):
    gone = [{"path": str(tmp_path / "gone")}]
    merge = write(tmp_path / "m" / "merge.yaml", experts=gone, trained=TAIL)
    write(tmp_path / "m" / "export.yaml", **PADDED)
    assert padding_of(merge) == Padding(0, 4)
