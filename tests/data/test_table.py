import pytest

from espnet_merge.data.table import read_table, write_table
from espnet_merge.disk.atomic import whole_file
from espnet_merge.errors import InputError


def test_round_trip_keeps_order_and_empty_values(tmp_path):
    table = {"b": "uno  dos", "a": "", "ü": "שלום"}
    write_table(tmp_path / "text", table)
    assert (tmp_path / "text").read_text(encoding="utf-8") == (
        "b uno  dos\na\nü שלום\n"
    )
    assert list(read_table(tmp_path / "text").items()) == list(table.items())


def test_tabs_windows_ends_and_no_last_newline(tmp_path):
    (tmp_path / "text").write_bytes(b"a\tx y\r\nb   z")
    assert read_table(tmp_path / "text") == {"a": "x y", "b": "z"}


def test_byte_order_marks_are_no_part_of_an_id(tmp_path):
    mark = "\ufeff".encode()
    (tmp_path / "text").write_bytes(mark + b"a x\n" + mark + b"b y\n")
    assert read_table(tmp_path / "text") == {"a": "x", "b": "y"}
    (tmp_path / "text").write_bytes(mark + b"a x\na y\n")
    with pytest.raises(InputError, match="ids must be unique; a stands above too"):
        read_table(tmp_path / "text")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "a x\n".encode("utf-16"),
            "text must be UTF-8; this is UTF-16, or .*: convert .*iconv -f",
        ),
        ("a x\n".encode("utf-16-be"), "text must be UTF-8; this is UTF-16"),
        (None, "a readable file is needed; No such file"),
        (b"a x\na y\n", "text:2: ids must be unique; a stands above too"),
        (b"a x\n\nb y\n", "text:2: a line begins with an id"),
        (b"a x\nb \xff\n", "text:2: text must be UTF-8; byte 2 of the line is 0xff"),
    ],
)
def test_bad_tables(tmp_path, content, message):
    if content is not None:
        (tmp_path / "text").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / "text")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "score.json"
    path.write_text("old")

    def interrupted():
        with whole_file(path) as part:
            part.write_text("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
