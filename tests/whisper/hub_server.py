"""A hub on this machine: the part of its protocol that downloads need."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = hashlib.sha1(b"the only commit").hexdigest()


class Hub(ThreadingHTTPServer):
    """Serves directories ``root/OWNER/NAME`` as repositories.

    Attributes:
        root: where they are.
        taken: names of the files that were downloaded.
    """

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.root, self.taken = root, []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self):
        self.answer(whole=True)

    def do_HEAD(self):
        self.answer(whole=False)

    def answer(self, *, whole):
        path = unquote(urlsplit(self.path).path).strip("/")
        if path.startswith("api/models/"):
            self.describe(*path.removeprefix("api/models/").split("/"))
            return
        repository, _, rest = path.partition("/resolve/")
        place = self.server.root / repository / rest.partition("/")[2]
        if not place.is_file():
            self.send({"error": "Entry not found"}, 404, "EntryNotFound")
            return
        content = place.read_bytes()
        if whole:
            self.server.taken.append(place.name)
        self.send(content if whole else len(content), 200, etag=digest(content))

    def describe(self, owner, name, *more):
        directory = self.server.root / owner / name
        if not directory.is_dir():
            self.send({"error": "Repository not found"}, 404, "RepoNotFound")
            return
        files = sorted(directory.iterdir())
        if more[:1] == ("tree",):
            self.send(
                [
                    {
                        "type": "file",
                        "path": file.name,
                        "size": file.stat().st_size,
                        "oid": digest(file.read_bytes()),
                    }
                    for file in files
                ]
            )
            return
        siblings = [{"rfilename": file.name} for file in files]
        self.send({"id": f"{owner}/{name}", "sha": COMMIT, "siblings": siblings})

    def send(self, content, status=200, error=None, etag=None):
        size, body = content, b""
        if not isinstance(content, int):
            body = (
                content if isinstance(content, bytes) else json.dumps(content).encode()
            )
            size = len(body)
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        self.send_header("X-Repo-Commit", COMMIT)
        if etag:
            self.send_header("ETag", f'"{etag}"')
        if error:
            self.send_header("X-Error-Code", error)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        """Say nothing."""


def digest(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@contextmanager
def serving(root: Path) -> Iterator[Hub]:
    with Hub(root) as hub:
        thread = threading.Thread(target=hub.serve_forever)
        thread.start()
        yield hub
        hub.shutdown()
        thread.join()
