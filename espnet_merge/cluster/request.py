r"""What is asked for: the options of Kaldi's ``slurm.pl``, and ``conf/slurm.conf``.

    [options] [JOB=1:n] LOG COMMAND...

In ``LOG`` and ``COMMAND`` each ``JOB`` stands for the number of a task. A word without
spaces reaches bash as it is, so that ``\|`` makes a pipe; others are quoted.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from espnet_merge.errors import InputError

USAGE = "[options] [JOB=1:n] LOG COMMAND..."
CONFIGURATION = "conf/slurm.conf"


@dataclass(frozen=True)
class Settings:
    """Options of the client itself, which ``conf/slurm.conf`` does not turn into words.

    Attributes:
        retries: how often a task is submitted again that the cluster broke: its node
            was lost or did not start, or another job took its place.
        resume: how often a task is submitted again that reached its time limit, or
            that has stopped before it by itself. Only what goes on from a checkpoint
            should ask for it.
        patience: seconds without an answer from SLURM's controller, after which the
            client gives up.
        poll: seconds between two questions to it.
        max_jobs_run: tasks of an array that run at one time; 0 is all.
    """

    retries: int = 3
    resume: int = 0
    patience: int = 600
    poll: int = 10
    max_jobs_run: int = 0


@dataclass(frozen=True)
class Request:
    """What is to be run.

    Attributes:
        log: path of a task's log.
        command: of bash.
        name: what stands for the number of a task in both; empty where there is one
            task only.
        tasks: their numbers.
        words: options of sbatch, after the command itself.
        settings: of the client.
    """

    log: str
    command: str
    name: str
    tasks: range
    words: tuple[str, ...]
    settings: Settings = field(default_factory=Settings)

    def log_of(self, task: int) -> Path:
        """Return the log of a task."""
        return Path(fill(self.log, self.name, task))


def fill(text: str, name: str, task: int) -> str:
    """Put the number of a task in place of its name.

    >>> fill("decode.JOB.log", "JOB", 3)
    'decode.3.log'
    """
    return text.replace(name, str(task)) if name else text


def quote(word: str) -> str:
    """Quote a word as Kaldi does.

    >>> print(quote("|"), quote("two words"), quote('a "b"'), quote(""))
    | "two words" 'a "b"' ""
    """
    if re.fullmatch(r"\S+", word):
        return word
    return f"'{word}'" if '"' in word else f'"{word}"'


def read_request(arguments: Sequence[str]) -> Request:
    """Return what a command line asks for.

    Raises:
        InputError: an option is unknown or has a wrong value, or a log or a command is
            missing.
    """
    rest, name, tasks = list(arguments), "", range(1, 2)
    options: dict[str, str] = {}
    free: list[str] = []
    while rest and (rest[0].startswith("-") or _array(rest[0])):
        word = rest.pop(0)
        if found := _array(word):
            name, tasks = found
        elif word == "-V":
            free.append(word)
        elif not rest:
            raise InputError(f"{word} needs a value; usage: {USAGE}")
        elif word == "--sbatch":
            free += shlex.split(rest.pop(0))
        elif word.startswith("--"):
            options[word[2:].replace("-", "_")] = rest.pop(0)
        else:
            free += [word, rest.pop(0)]
    if len(rest) < 2:
        raise InputError(f"a log and a command are needed; usage: {USAGE}")
    log, *command = rest
    if len(tasks) > 1 and name not in log:
        raise InputError(
            f"each of {len(tasks)} tasks needs a log of its own; got '{log}': write"
            f" {name} into it."
        )
    configuration = Path(options.pop("config", CONFIGURATION))
    own = {one.name: options.pop(one.name, None) for one in fields(Settings)}
    settings = {key: _count(key, value) for key, value in own.items() if value}
    words = [*read_configuration(configuration, options), *free]
    text = " ".join(map(quote, command))
    return Request(log, text, name, tasks, tuple(words), Settings(**settings))


def read_configuration(path: Path, options: Mapping[str, str]) -> list[str]:
    """Return the words of sbatch that Kaldi's options become.

    Args:
        path: the configuration, in the form of Kaldi's.
        options: name, with ``_``, to value.

    Raises:
        InputError: the configuration cannot be read, or knows no such option.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{path} must be readable: {error.strerror}.") from error
    command, rules, given = "", {}, dict(options)
    for line in lines:
        text = re.sub(r"\s*#.*", "", line)
        if match := re.fullmatch(r"command (.+)", text):
            command = match[1]
        elif match := re.fullmatch(r"option ([^=]+)=(\S+)\s*(.*)", text):
            rules[match[1], match[2]] = match[3]
        elif match := re.fullmatch(r"default (\S+)=(\S+)\s*", text):
            given.setdefault(match[1], match[2])
        elif text:
            raise InputError(
                f"{path}: a line must begin with command, option or default; got"
                f" '{line}'."
            )
    if not command:
        raise InputError(f"{path}: a line 'command sbatch ...' is needed; add one.")
    words = shlex.split(command)
    for name, value in given.items():
        rule = rules.get((name, value), rules.get((name, "*")))
        if rule is None:
            raise InputError(
                f"{path}: option {name}={value} is not described; add a line"
                f" 'option {name}=* ...'."
            )
        words += shlex.split(rule.replace("$0", value))
    return words


def _array(word: str) -> tuple[str, range] | None:
    match = re.fullmatch(r"([A-Za-z_]\w*)=(\d+)(?::(\d+))?", word)
    if not match:
        return None
    first, last = int(match[2]), int(match[3] or match[2])
    if not 1 <= first <= last:
        raise InputError(f"a range of tasks must be 1:n, upwards; got '{word}'.")
    return match[1], range(first, last + 1)


def _count(name: str, value: str) -> int:
    if not re.fullmatch(r"\d+", value):
        raise InputError(f"--{name} must be a whole number from 0; got '{value}'.")
    return int(value)
