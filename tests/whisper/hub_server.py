"""A hub on this machine: the part of its protocol that downloads need."""

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import constants

LARGE = (".safetensors", ".bin", ".tar.gz")  # kept elsewhere, where a redirect leads
TOKEN = "hf_of_a_user"


def commit_of(revision: str = "main") -> str:
    return hashlib.sha1(revision.encode()).hexdigest()


COMMIT = commit_of()


class Hub(ThreadingHTTPServer):
    """Serves directories ``root/OWNER/NAME`` and ``root/OWNER/NAME@REVISION``.

    Attributes:
        root: where they are.
        taken: names of the files that were downloaded.
        private: repositories that are shown to who has ``TOKEN`` alone.
        gated: repositories whose files are given to nobody.
        cut: bytes after which the next download of a large file breaks off.
        ranges: what was asked for of large files, where it was not all.
    """

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.root, self.taken = root, []
        self.private, self.gated = set(), set()
        self.cut, self.ranges = None, []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def find(self, repository: str, revision: str) -> tuple[Path | None, str]:
        """Return the directory of a revision, which may be a commit, and the commit."""
        owner, _, name = repository.rpartition("/")
        for place in (self.root / owner).glob(f"{name}*"):
            found, _, branch = place.name.partition("@")
            branch = branch or "main"
            if found == name and revision in (branch, commit_of(branch)):
                return place, commit_of(branch)
        return None, ""


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self):
        self.answer(whole=True)

    def do_HEAD(self):
        self.answer(whole=False)

    def answer(self, *, whole):
        path = unquote(urlsplit(self.path).path).strip("/")
        if path.startswith("large/"):
            self.give(self.server.root / path.removeprefix("large/"))
        elif path.startswith("api/models/"):
            self.describe(*path.removeprefix("api/models/").split("/", 2))
        elif "/resolve/" in path:
            repository, _, rest = path.partition("/resolve/")
            self.resolve(repository, *rest.split("/", 1), whole=whole)
        else:
            self.send({"error": "Not found"}, 404)

    def resolve(self, repository, revision, name, *, whole):
        if self.refuses(repository):
            return
        if repository in self.server.gated:
            self.send({"error": "Ask for access"}, 403, "GatedRepo")
            return
        directory, commit = self.server.find(repository, revision)
        if not directory or not (directory / name).is_file():
            self.send({"error": "Entry not found"}, 404, "EntryNotFound")
            return
        content = (directory / name).read_bytes()
        headers = {"X-Repo-Commit": commit, "ETag": f'"{digest(content)}"'}
        if name.endswith(LARGE):
            place = f"large/{directory.relative_to(self.server.root)}/{name}"
            headers["X-Linked-ETag"] = f'"{hashlib.sha256(content).hexdigest()}"'
            headers["X-Linked-Size"] = str(len(content))
            # Of another host, as on the hub.
            headers["Location"] = f"http://localhost:{self.server.server_port}/{place}"
            self.send(b"", 302, headers=headers)
            return
        if whole:
            self.server.taken.append(name)
        self.send(content if whole else len(content), headers=headers)

    def give(self, file):
        """Send a large file, from where it is asked for, or break off."""
        content, start = file.read_bytes(), 0
        if asked := self.headers.get("Range"):
            self.server.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").partition("-")[0])
        else:
            self.server.taken.append(file.name)
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        cut, self.server.cut = self.server.cut, None
        self.send(
            content[start:],
            206 if asked else 200,
            headers={"Content-Range": span} if asked else {},
            cut=cut,
        )

    def describe(self, owner, name, more=""):
        repository = f"{owner}/{name}"
        if self.refuses(repository):
            return
        kind, _, revision = more.partition("/")
        directory, commit = self.server.find(repository, revision or "main")
        if directory is None:
            known = any(self.server.root.glob(f"{repository}*"))
            error = "RevisionNotFound" if known else "RepoNotFound"
            self.send({"error": error}, 404, error)
            return
        files = sorted(directory.iterdir())
        if kind == "tree":
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
        self.send({"id": repository, "sha": commit, "siblings": siblings})

    def refuses(self, repository):
        """Hide a private repository from who is not logged in."""
        hidden = repository in self.server.private
        if hidden and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.send({"error": "Invalid username"}, 401, "RepoNotFound")
            return True
        return False

    def send(self, content, status=200, error=None, headers=None, cut=None):
        size, body = content, b""
        if not isinstance(content, int):
            body = (
                content if isinstance(content, bytes) else json.dumps(content).encode()
            )
            size = len(body)
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        if error:
            self.send_header("X-Error-Code", error)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:cut])
        self.close_connection = True

    def log_message(self, *_args):
        """Say nothing."""


def publish(hub: Hub, name: str, directory: Path) -> Path:
    """Make a repository of a directory; the name may have a revision."""
    return shutil.copytree(directory, hub.root / name)


def take_for_the_hub(hub: Hub, cache: Path, patch: pytest.MonkeyPatch) -> None:
    """Have the client in this process ask here, and keep copies in ``cache``."""
    patch.setattr(constants, "ENDPOINT", hub.address)
    # Made of the address once, when it is imported.
    place = constants.HUGGINGFACE_CO_URL_TEMPLATE.partition("/{repo_id}")
    template = f"{hub.address}{''.join(place[1:])}"
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    patch.setattr(constants, "HF_HUB_CACHE", str(cache))


def digest(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@contextmanager
def serving(root: Path) -> Iterator[Hub]:
    with Hub(root) as hub:
        thread = threading.Thread(target=hub.serve_forever)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
