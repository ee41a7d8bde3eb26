"""Start the Python processes of a recipe warm: forked from one that has imported torch.

A recipe on a micro model starts fifty processes, and most of each is the import of
torch, transformers and ESPnet, 5 to 9 s. Here a server imports them once. Stand-ins for
python3 and espnet-merge, first on the recipe's PATH, hand it their arguments,
environment, directory, input and outputs; it forks a process that goes on as theirs
would have, and they end with its status.

    python -m tests.recipes.warm serve NAME             until it is terminated
    python tests/recipes/warm.py ask NAME WORD...       do as the command WORD... would
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

LIMIT = 1 << 18  # bytes of a request


@contextmanager
def warm_commands(directory: Path) -> Iterator[None]:
    """Fill ``directory`` with python3 and espnet-merge that start warm."""
    import subprocess
    import uuid

    name = f"espnet_merge-warm-{uuid.uuid4()}"
    ask = f"exec {sys.executable} -IS {__file__} ask {name}"
    directory.mkdir(parents=True)
    for command in ("python3", "espnet-merge"):
        file = directory / command
        file.write_text(f'#!/bin/sh\n{ask} {command} "$@"\n', "utf-8")
        file.chmod(0o755)
    with subprocess.Popen(
        [sys.executable, "-u", "-X", "utf8", "-m", __name__, "serve", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        server.stdout.readline()  # it listens
        try:
            yield
        finally:
            # A process that another test has left may hold the input open.
            server.terminate()


def serve(name: str) -> None:
    """Answer requests until standard input ends."""
    import espnet_merge.decode.recognize
    import espnet_merge.decode.torch_backend
    import espnet_merge.tasks.whisper  # noqa: F401

    gc.freeze()  # so that collections in those forked below copy no memory
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(f"\0{name}")
        listener.listen(64)
        print("ready", flush=True)
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            with connection:
                if not os.fork():
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    listener.close()
                    answer(connection)


def answer(connection: socket.socket) -> None:
    """Have the request done by a process of its own, send its status, and exit."""
    content, files, _, _ = socket.recv_fds(connection, LIMIT, 3)
    child = os.fork()
    if child:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        connection.send(b"%d" % (status if status >= 0 else 128 - status))
        os._exit(0)
    connection.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    request = json.loads(content)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    # To take apart all that was imported, as Python does at exit, costs 2 s.
    os._exit(status_of(request["words"]))


def status_of(words: Sequence[str]) -> int:
    """Do what the command would, and return its status."""
    import traceback

    try:
        do(words)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    else:
        return 0
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()


def do(words: Sequence[str]) -> None:
    import runpy

    match words:
        case ["python3", "-m", module, *_]:
            sys.argv = words[2:]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["python3", script, *_]:
            sys.argv = words[1:]
            sys.path.insert(0, str(Path(script).resolve().parent))
            runpy.run_path(script, run_name="__main__")
        case ["espnet-merge", *_]:
            sys.argv = words
            runpy.run_module("espnet_merge", run_name="__main__", alter_sys=True)


def ask(name: str, words: list[str]) -> int:
    """Have the server do ``words``; return the exit status.

    What runs plans and jobs is quick without, and must get its signals itself.
    """
    quick = words[1] == "-c" or words[1].startswith("../../../local/")
    if words[0] == "python3" and quick:
        os.execv(sys.executable, [sys.executable, *words[1:]])
    request = {"words": words, "directory": os.getcwd(), "environment": {**os.environ}}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(f"\0{name}")
        socket.send_fds(connection, [json.dumps(request).encode()], [0, 1, 2])
        return int(connection.recv(16))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.exit(ask(sys.argv[2], sys.argv[3:]))
