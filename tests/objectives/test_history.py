"""The table and the picture of conflict."""

from espnet_merge.objectives.history import add_epoch, draw_history


def test_a_resumed_epoch_replaces_what_was_cut(tmp_path):
    table = tmp_path / "conflict.tsv"
    add_epoch(table, 1, [(0, "encoder.conv1", -0.25)])
    add_epoch(table, 2, [(50, "encoder.conv1", 0.5)])
    found = add_epoch(table, 2, [(50, "encoder.conv1", 0.75)])
    assert found == [(0, "encoder.conv1", -0.25), (50, "encoder.conv1", 0.75)]
    assert table.read_text().splitlines() == [
        "epoch\tstep\tlayer\tcosine",
        "1\t0\tencoder.conv1\t-0.25",
        "2\t50\tencoder.conv1\t0.75",
    ]


def test_a_picture(tmp_path):
    measured = [(0, "a", -0.5), (1, "b", 0.5), (50, "a", 0.1)]
    draw_history(measured, tmp_path / "images" / "conflict.png")
    assert (tmp_path / "images" / "conflict.png").read_bytes()[:4] == b"\x89PNG"
