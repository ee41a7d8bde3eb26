"""Downloads from a server that can, or cannot, go on where one broke off."""

import hashlib
import http.server
import re
import threading

import pytest

from espnet_merge.data.download import download
from espnet_merge.errors import InputError

CONTENT = bytes(range(256)) * 4096
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT as /file; ``ranges`` are those that were asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[int] = []
        self.resumes = True
        self.most = len(CONTENT)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        begin = int(re.match(r"bytes=(\d+)-", self.headers["Range"])[1])
        self.server.ranges.append(begin)
        if self.path != "/file":
            self.send_error(404)
            return
        if not self.server.resumes:
            begin = 0
        elif begin >= len(CONTENT):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
            self.end_headers()
            return
        self.send_response(206 if self.server.resumes else 200)
        self.send_header("Content-Length", str(len(CONTENT) - begin))
        self.end_headers()
        self.wfile.write(CONTENT[begin : begin + self.server.most])

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_what_is_there_is_not_asked_for_again(server, tmp_path):
    target = tmp_path / "deep" / "file"
    assert download(server.address, target, MD5) == target
    assert target.read_bytes() == CONTENT
    assert download(server.address, target, MD5) == target
    assert server.ranges == [0]
    assert [*target.parent.iterdir()] == [target]


def test_of_two_at_one_time_one_downloads(server, tmp_path):
    target, got = tmp_path / "file", []

    def get():
        got.append(download(server.address, target, MD5))

    threads = [threading.Thread(target=get) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [target] * 4
    assert server.ranges == [0]
    assert [*tmp_path.iterdir()] == [target]


@pytest.mark.parametrize(
    ("resumes", "asked"), [(True, [0, 1000, 2000]), (False, [0, 1000, 1000])]
)
def test_broken_off_download_is_taken_up(server, tmp_path, resumes, asked):
    server.resumes, server.most = resumes, 1000
    target = tmp_path / "file"
    for _ in range(2):
        with pytest.raises(
            InputError, match=r"broke off at byte .* Run again to go on"
        ):
            download(server.address, target)
        assert not target.exists()
    server.most = len(CONTENT)
    download(server.address, target, MD5)
    assert target.read_bytes() == CONTENT
    assert server.ranges == asked


def test_whole_but_not_renamed(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    download(server.address, tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_another_file_is_refused(server, tmp_path):
    (tmp_path / "file.part").write_bytes(b"begin of another")
    with pytest.raises(
        InputError, match=f"MD5 must be {MD5}; the download has .* deleted"
    ):
        download(server.address, tmp_path / "file", MD5)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("path", ["none", "file"])
def test_unreachable_is_one_line(server, tmp_path, path):
    address = server.address.replace("file", path)
    if path == "file":
        address = "http://127.0.0.1:1/file"
    with pytest.raises(InputError, match="must be reachable; ") as caught:
        download(address, tmp_path / "file")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "file").exists()
