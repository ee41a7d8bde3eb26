"""A hub on this machine: the part of its protocol that uploads need."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import yaml

COMMIT = hashlib.sha1(b"a commit").hexdigest()
WEIGHTS = ".safetensors"


class Hub(ThreadingHTTPServer):
    """Takes repositories.

    Attributes:
        created: name -> what was asked for when it was made.
        files: name -> path -> content, of what was committed.
        licences: name -> licence, of models that others have published.
        token: that a commit needs; None for any.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.created, self.files, self.large = {}, {}, {}
        self.licences, self.token = {}, None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self):
        name = urlsplit(self.path).path.removeprefix("/api/models/")
        name = name.partition("/revision/")[0]
        if name not in self.server.licences:
            self.send({"error": "Repository not found"}, 404, "RepoNotFound")
            return
        card = {"license": self.server.licences[name]}
        self.send({"id": name, "sha": COMMIT, "cardData": card})

    def do_POST(self):
        body, path = self.body(), urlsplit(self.path).path
        if path == "/api/validate-yaml":
            front = json.loads(body)["content"].split("---")[1]
            assert isinstance(yaml.safe_load(front), dict)
            self.send({"errors": [], "warnings": []})
        elif self.server.token not in (None, self.headers.get("Authorization")):
            self.send({"error": "Invalid username or password."}, 401)
        elif path == "/api/repos/create":
            self.create(json.loads(body))
        elif path.endswith("/info/lfs/objects/batch"):
            self.send(
                {
                    "transfer": "basic",
                    "objects": [
                        {**x, "actions": {"upload": {"href": self.place(x["oid"])}}}
                        for x in json.loads(body)["objects"]
                    ],
                }
            )
        elif "/preupload/" in path:
            files = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs"
                    if file["path"].endswith(WEIGHTS)
                    else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(body)["files"]
            ]
            self.send({"files": files})
        else:
            name = path.removeprefix("/api/models/").partition("/commit/")[0]
            self.commit(name, [json.loads(line) for line in body.splitlines()])

    def do_PUT(self):
        content = self.body()
        oid = self.path.rpartition("/")[2]
        assert hashlib.sha256(content).hexdigest() == oid
        self.server.large[oid] = content
        self.send({})

    def create(self, asked):
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.server.created:
            self.send({"error": "exists", "url": self.place(name)}, 409)
            return
        self.server.created[name] = asked
        self.send({"url": self.place(name)})

    def commit(self, name, lines):
        files = self.server.files.setdefault(name, {})
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            if line["key"] == "lfsFile":
                files[value["path"]] = self.server.large[value["oid"]]
        url = self.place(f"{name}/commit/{COMMIT}")
        self.send({"success": True, "commitOid": COMMIT, "commitUrl": url})

    def place(self, path):
        return f"{self.server.address}/{path}"

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            content = b""
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return content
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def send(self, content, status=200, error=None):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if error:
            self.send_header("X-Error-Code", error)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        """Say nothing."""


def mode_of(path):
    return "lfs" if path.endswith(WEIGHTS) else "regular"


@contextmanager
def taking() -> Iterator[Hub]:
    with Hub() as hub:
        thread = threading.Thread(target=hub.serve_forever)
        thread.start()
        yield hub
        hub.shutdown()
        thread.join()
