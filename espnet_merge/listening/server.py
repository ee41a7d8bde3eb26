"""The server of the page: on this machine alone, by Python's own library."""

import json
import tempfile
import threading
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from espnet_merge.errors import InputError
from espnet_merge.listening.listener import listen, recorded
from espnet_merge.listening.systems import System
from espnet_merge.report.page import EDITS, ELEMENTS, filled
from espnet_merge.speech import AUTO, LANGUAGES, TRANSCRIBE
from espnet_merge.whisper.prompt import check_task

HOST = "127.0.0.1"
MOST = 200_000_000  # bytes of a recording: two hours of 16 bits


class Server(ThreadingHTTPServer):
    """Serves the page, and decodes one recording at a time.

    Args:
        systems: that hear a recording; the others are compared with the first.
        port: of this machine; 0 for any that is free.
        languages: codes that the page offers.
    """

    daemon_threads = True

    def __init__(
        self, systems: Sequence[System], port: int, languages: Sequence[str]
    ) -> None:
        super().__init__((HOST, port), Handler)
        self.systems = systems
        self.turn = threading.Lock()
        template = files("espnet_merge.listening") / "template"
        data = {
            "systems": [system.name for system in systems],
            "languages": {code: LANGUAGES.get(code, code) for code in languages},
        }
        scripts = (ELEMENTS, EDITS, template / "listen.js")
        self.page = filled(template / "listen.html", scripts, data)

    @property
    def address(self) -> str:
        """What is opened in a browser."""
        return f"http://{HOST}:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Answers the browser.

    Pages of elsewhere that run in the same browser get no answer.
    """

    server: Server

    def do_GET(self) -> None:
        """Send the page."""
        if not self._is_own() or self.path != "/":
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self._begin("text/html")
        self.wfile.write(self.server.page.encode())

    def do_POST(self) -> None:
        """Decode the recording that is sent; send a line of JSON for each system."""
        length = int(self.headers.get("Content-Length", 0))
        if not self._is_own() or not 0 < length <= MOST:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        asked = dict(parse_qsl(urlsplit(self.path).query))
        language, task = asked.get("language", AUTO), asked.get("task", TRANSCRIBE)
        content = self.rfile.read(length)
        self._begin("application/x-ndjson")
        try:
            with self.server.turn, tempfile.TemporaryDirectory() as folder:
                check_task(task)
                recording = recorded(content, Path(folder), language, task)
                said = asked.get("reference", "")
                for heard, edits, between in listen(
                    self.server.systems, recording, said
                ):
                    self._line({**heard._asdict(), "edits": edits, "between": between})
        except InputError as error:
            self._line({"error": str(error)})

    def _is_own(self) -> bool:
        address = self.server.address
        own = {address, address.replace(HOST, "localhost")}
        host, origin = self.headers.get("Host"), self.headers.get("Origin")
        return f"http://{host}" in own and (origin is None or origin in own)

    def _begin(self, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()

    def _line(self, content: object) -> None:
        self.wfile.write((json.dumps(content) + "\n").encode())
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing of each request."""
