"""What a command does where nobody reads on."""

import os
import signal
import subprocess
import sys

import pytest


@pytest.mark.parametrize("command", ["methods", "doctor"])
def test_nobody_reads_what_a_command_prints(command):
    """It ends as SIGPIPE ends a process, and says nothing: no error for ``| head``."""
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-m", "espnet_merge", command]
    try:
        done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")
