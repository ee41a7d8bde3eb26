"""In what the configurations of runs differ: training, merging, decoding."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from espnet_merge.checkpoint.espnet import read_config
from espnet_merge.files import CONFIG_YAML, MERGE_YAML
from espnet_merge.report.modes import SETTINGS
from espnet_merge.report.run_scores import ScoredRun

ABSENT = "–"
# Options of ESPnet that say where files are or which process it is, not what is learnt.
PLACES = (
    *("output_dir", "whisper", "init_adapter", "config", "log_level", "dry_run"),
    *("train_data_path", "valid_data_path", "train_shape", "valid_shape"),
    *("dist_", "local_rank", "version", "resume", "wandb_", "use_", "mixture_conf"),
)

type Settings = dict[str, str]


def settings_of(run: ScoredRun) -> dict[str, Settings]:
    """Return system -> option -> value, of all that ``EXPDIR/<system>`` records."""
    found: dict[str, Settings] = {}
    for (system, _), score in run.scores.items():
        if system in found:
            continue
        place = run.place / system.partition(" (")[0]
        mode = {f"decode {n}": str(score["mode"].get(n)) for n in SETTINGS}
        found[system] = {**_training(place), **_merge(place), **mode}
    return found


def differing(runs: Sequence[ScoredRun]) -> Iterator[list[str]]:
    """Yield a row for each difference: option, systems, its value in each run.

    Systems that differ in the same way share a row. A system that some run lacks is
    left out.
    """
    found = [settings_of(run) for run in runs]
    systems = [name for name in found[0] if all(name in one for one in found[1:])]
    rows: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for system in systems:
        own = [one[system] for one in found]
        for option in dict.fromkeys(key for one in own for key in one):
            values = [one.get(option, ABSENT) for one in own]
            if len(set(values)) > 1:
                rows[option, *values].append(system)
    for (option, *values), members in rows.items():
        whose = "all" if len(members) == len(systems) else ", ".join(members)
        yield [option, whose, *values]


def _training(place: Path) -> Settings:
    config = flat(read_config(place / CONFIG_YAML))
    return {f"train {n}": x for n, x in config.items() if not n.startswith(PLACES)}


def _merge(place: Path) -> Settings:
    record = read_config(place / "model" / MERGE_YAML)
    wanted = {n: x for n, x in record.items() if n in ("method", "params")}
    return {f"merge {name}": value for name, value in flat(wanted).items()}


def flat(config: Mapping[str, Any], before: str = "") -> Settings:
    """Return a nested mapping as one level.

    >>> flat({"optim_conf": {"lr": 1e-5}, "seed": 0})
    {'optim_conf.lr': '1e-05', 'seed': '0'}
    """
    found: Settings = {}
    for key, value in config.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping):
            found |= flat(value, f"{name}.")
        else:
            found[name] = str(value)
    return found
