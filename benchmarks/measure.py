"""What a command costs, as a whole process."""

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)
OFFLINE = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
INTERVAL = 0.01  # seconds between two looks at the memory


def measure(command: Sequence[str], log: Path) -> dict[str, float]:
    """Run ``command``; return seconds and megabytes.

    ``cpu`` is user and system time with that of children; ``rss`` the peak of memory
    with the pages of files that are mapped, ``anon`` without them.

    Raises:
        RuntimeError: it failed; the last line that it printed.
    """
    environment = {**os.environ, **ONE_THREAD, **OFFLINE}
    # As on a usual machine: compiled once, not at each start.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with log.open("w") as file:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env=environment
        )
        peaks = [0]
        watcher = threading.Thread(target=_watch, args=(process.pid, peaks))
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        watcher.join()
    if process.returncode:
        said = log.read_text(errors="replace").strip().splitlines()
        raise RuntimeError(f"status {process.returncode}: {(said or [''])[-1]}")
    return {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "rss": usage.ru_maxrss / 1024,
        "anon": max(peaks) / 1024,
    }


def _watch(pid: int, peaks: list[int]) -> None:
    """Note the anonymous memory of a process until it has ended."""
    status = Path(f"/proc/{pid}/status")
    while True:
        try:
            text = status.read_text()
        except OSError:
            return
        if "RssAnon:" not in text:
            return
        peaks.append(int(text.partition("RssAnon:")[2].split()[0]))
        time.sleep(INTERVAL)
