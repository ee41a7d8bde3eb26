"""Whatever happens while a merge is written, no half of it is taken for a whole."""

import io
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from espnet_merge.__main__ import main
from tests.checkpoint.build import fine_tuned, whisper_tensors, write_checkpoint

# Functions that change the disk; a merge is killed before each of them,
CHANGES = {"mkdir", "open", "write", "truncate", "flush", "fsync", "chmod", "rename"}
CHANGES |= {"unlink", "rmdir", "copyfile", "replace", "pwrite", "writev"}
MOMENTS = 10  # and at so many more, evenly spread over all calls.


def merge(root, *options):
    os.chdir(root)
    with Path(os.devnull).open("w") as null:
        sys.stdout = sys.stderr = null
        main(
            [
                *("merge", "--method", "soup", "--base", "base", "--output", "out"),
                *("--experts", "e1", "e2", *options),
            ]
        )


def moments_of(root, *options):
    """Merge; return the numbers of the calls at which to kill."""
    changes, count = [], 0

    def note(name):
        nonlocal count
        if name in CHANGES:
            changes.append(count)
        count += 1

    watched(note, root, *options)
    return sorted({*changes, *range(0, count, max(1, count // MOMENTS))})


def merge_until(moment, sent, root, *options):
    """Merge, and get the signal ``sent`` before the call number ``moment``."""
    count = 0

    def send(name):
        nonlocal count
        del name
        count += 1
        if count == moment + 1:
            os.kill(os.getpid(), sent)

    watched(send, root, *options)


def watched(act, root, *options):
    """Merge, and ``act`` at each call in any thread once the disk is changed."""
    begun = False

    def watch(frame, event, what):
        nonlocal begun
        del frame
        name = what.__name__ if event == "c_call" else ""
        if isinstance(getattr(what, "__self__", None), io.StringIO):
            name = ""  # in memory
        begun |= name == "mkdir"
        if begun and event.endswith("call"):
            act(name)

    threading.setprofile(watch)
    sys.setprofile(watch)
    merge(root, *options)
    sys.setprofile(None)
    threading.setprofile(None)


def fork(target, *args):
    """Return the exit status of ``target`` in a process of its own."""
    return exit_of(begin(target, *args))


def begin(target, *args):
    """Return the number of a process that runs ``target``."""
    if child := os.fork():
        return child
    try:
        target(*args)
    except SystemExit as error:
        os._exit(error.code)
    except BaseException:
        os._exit(1)
    os._exit(0)


def exit_of(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def content(directory):
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def kill_at_every_moment(root, first, again):
    """Run in a process without threads, which alone may fork.

    ``first`` are the options of an older result; None if there is none.
    """
    out, kept, before = root / "out", root / "kept", None
    os.fsync = lambda handle: None  # what was written outlives a process without it
    if first is not None:
        assert fork(merge, root, *first) == 0
        before = content(out)
        out.rename(kept)
    moments = moments_of(root, *again)
    whole = content(out)
    killed = 0
    for moment in moments:
        shutil.rmtree(out, ignore_errors=True)
        if before:
            shutil.copytree(kept, out)
        code = fork(merge_until, moment, signal.SIGKILL, root, *again)
        assert code in (0, -signal.SIGKILL), (moment, code)
        killed += code != 0
        if out.exists():
            assert content(out) in (whole, before), moment
        if before or not out.exists():
            assert fork(merge, root, *again) == 0, moment
        assert content(out) == whole, moment
        left = {file.name for file in root.iterdir()} - {"kept"}
        assert left == {"base", "e1", "e2", "out"}, (moment, left)
    assert killed > MOMENTS


def pause_at_every_moment(root, older, one, two):
    """Let ``one`` merge up to a moment, ``two`` from begin to end, and ``one`` go on.

    Both are options; ``older`` those of a result that is there before.
    """
    out = root / "out"
    os.fsync = lambda handle: None
    wholes = []
    for options in (older, one, two):
        if options is not None:
            assert fork(merge, root, *options, "--overwrite") == 0
            wholes.append(content(out))
    shutil.rmtree(out)
    if older is not None:
        fork(merge, root, *older)
        out.rename(root / "kept")
    *_, first, second = wholes
    paused = 0
    for moment in moments_of(root, *one):
        shutil.rmtree(out, ignore_errors=True)
        if older is not None:
            shutil.copytree(root / "kept", out)
        child = begin(merge_until, moment, signal.SIGSTOP, root, *one)
        if not os.WIFSTOPPED(os.waitpid(child, os.WUNTRACED)[1]):
            continue
        paused += 1
        of_two = fork(merge, root, *two)
        os.kill(child, signal.SIGCONT)
        codes = exit_of(child), of_two
        # Who ends first has 0; the other, too, if it made the same or may replace.
        allowed = {(0, 2): [first], (2, 0): [second]}
        if first == second or older is not None:
            allowed[0, 0] = [first, second]
        assert content(out) in allowed[codes], (moment, codes)
        left = {file.name for file in root.iterdir()} - {"kept"}
        assert left == {"base", "e1", "e2", "out"}, (moment, left)
    assert paused > MOMENTS


OTHER = ("--set", "weights=[1, 3]")
OVER = "--overwrite"


@pytest.mark.parametrize(
    ("older", "one", "two"),
    [
        (None, (), ()),
        (None, (), OTHER),
        (("--dtype", "float16"), (OVER,), (*OTHER, OVER)),
    ],
    ids=["same", "other", "overwrite"],
)
def test_two_writers_leave_a_whole_result_at_every_moment(models, older, one, two):
    alone = multiprocessing.get_context("spawn")
    args = (models, older, one, two)
    process = alone.Process(target=pause_at_every_moment, args=args)
    process.start()
    process.join()
    assert process.exitcode == 0


def test_four_commands_at_one_time_leave_one_whole_result(models, tmp_path):
    out = tmp_path / "out"
    line = command(models, "--output", str(out))
    pipe = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen(line, **pipe) for _ in range(4)]
    said = [writer.communicate()[1] for writer in writers]
    assert sorted(writer.returncode for writer in writers)[0] == 0
    for writer, error in zip(writers, said, strict=True):
        assert writer.returncode == 0 or "out: exists; give another" in error
    assert main(["replay", str(out)]) is None
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {"base", "e1", "e2", "out"}


@pytest.fixture
def models(tmp_path):
    base = whisper_tensors()
    write_checkpoint(tmp_path / "base", base)
    for seed in (1, 2):
        write_checkpoint(tmp_path / f"e{seed}", fine_tuned(base, seed))
    return tmp_path


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (None, ()),
        (None, ("--format", "espnet")),
        ((), ("--set", "weights=[1, 3]", "--overwrite")),
    ],
    ids=["hf", "espnet", "overwrite"],
)
def test_killed_at_any_moment_it_can_be_run_again(models, first, again):
    alone = multiprocessing.get_context("spawn")
    process = alone.Process(target=kill_at_every_moment, args=(models, first, again))
    process.start()
    process.join()
    assert process.exitcode == 0


def command(root, *options):
    return [
        *(sys.executable, "-m", "espnet_merge", "merge", "--method", "soup"),
        *("--base", str(root / "base")),
        *("--experts", str(root / "e1"), str(root / "e2"), *options),
    ]


def refused(result):
    """Return the one line that a merge ended with; warnings may come before it."""
    assert result.returncode == 2, result.stderr
    *warnings, line = result.stderr.splitlines()
    assert all("warning: " in warning for warning in warnings)
    assert line.startswith("espnet-merge merge: error: ")
    return line


@pytest.mark.parametrize("form", ["hf", "espnet"])
def test_a_file_that_may_not_grow_further(models, tmp_path, form):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    args = command(models, "--output", str(tmp_path / "x" / "out"), "--format", form)
    result = subprocess.run(args, capture_output=True, text=True, preexec_fn=limit)
    assert "File too large" in refused(result)
    assert not list((tmp_path / "x").iterdir())


# The disk is seen by this process and its children only, and is gone with them.
ON_SMALL_DISK = """
mount -t tmpfs -o size=$1 tmpfs disk || exit 77
shift; "$@"; status=$?
find disk -mindepth 1 -not -path 'disk/out/*' >left
exit $status
"""


def on_small_disk(root, size, *args):
    (root / "disk").mkdir(exist_ok=True)
    words = ["unshare", "--map-root-user", "--mount", "bash", "-c", ON_SMALL_DISK]
    if not shutil.which("unshare"):
        pytest.skip("there is no unshare here")
    result = subprocess.run(
        [*words, "bash", str(size), *args], capture_output=True, text=True, cwd=root
    )
    if result.returncode == 77 or "unshare" in result.stderr:
        pytest.skip(f"no disk can be mounted here: {result.stderr}")
    result.left = (root / "left").read_text().splitlines()
    return result


@pytest.mark.parametrize("form", ["hf", "espnet"])
def test_a_full_disk(models, form):
    args = command(models, "--output", "disk/out", "--format", form)
    whole = on_small_disk(models, "1m", *args)
    assert (whole.returncode, whole.left) == (0, ["disk/out"])
    for size in ("4k", "8k"):
        result = on_small_disk(models, size, *args)
        assert "No space left" in refused(result)
        assert "disk/out: cannot be written" in result.stderr
        assert not result.left
