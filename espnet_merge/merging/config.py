"""Which method merges, and its parameters: a YAML file, and words like scale=0.3."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from espnet_merge.errors import InputError
from espnet_merge.options import unknown

# What a configuration may say of a merge, by the names of the options.
OPTIONS = (
    *("method", "params", "base", "experts"),
    *("dtype", "compute_dtype", "format", "output_adapter"),
)


def read_params(items: Iterable[str]) -> dict[str, Any]:
    """Return the parameters in words ``KEY=VALUE``, of which the value is YAML.

    Raises:
        InputError: a word is not of this form.

    Example:
        >>> read_params(["scale=0.3", "trim=tensor"])
        {'scale': 0.3, 'trim': 'tensor'}
    """
    import yaml

    params: dict[str, Any] = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not (key and equals):
            raise InputError(f"--set takes KEY=VALUE, got {item!r}; write scale=0.3.")
        try:
            params[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--set {item}: not valid YAML ({error}).") from error
    return params


def read_grid(items: Iterable[str]) -> dict[str, list[Any]]:
    """Return the values of each parameter in ``KEY=VALUE,VALUE,…``.

    The values are those of a YAML list without its brackets, so that a list is one
    value: ``weights=[1, 2],[2, 1]``.

    Raises:
        InputError: it is not of this form.

    Example:
        >>> read_grid(["beta=0.1,0.3", "trim=tensor"])
        {'beta': [0.1, 0.3], 'trim': ['tensor']}
    """
    import yaml

    grid: dict[str, list[Any]] = {}
    for item in items:
        key, equals, text = item.partition("=")
        try:
            values = yaml.safe_load(f"[{text}]")
        except yaml.YAMLError as error:
            raise InputError(f"--grid {item}: not valid YAML ({error}).") from error
        if not (key and equals and values):
            raise InputError(
                f"--grid takes KEY=VALUE,VALUE,…, got {item!r}; write scale=0.3,0.5."
            )
        if key in grid:
            raise InputError(f"--grid: {key} is given twice; give all values at once.")
        grid[key] = values
    return grid


def read_config(path: Path) -> dict[str, Any]:
    """Return the options of ``merge`` that a file says.

    Args:
        path: a ``conf/merge/<method>.yaml``, a file of mergekit's, or the
            ``merge.yaml`` beside a result, of which the digests are not compared.

    Returns:
        ``method`` and ``params``, and whatever else of ``OPTIONS`` is in it.

    Raises:
        InputError: the file is missing, or holds anything else.
    """
    import yaml

    from espnet_merge.merging.mergekit import from_mergekit
    from espnet_merge.merging.mergekit_file import MARK

    if not path.is_file():
        raise InputError(f"{path}: no such file; see conf/merge for examples.")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid YAML ({error}).") from error
    if isinstance(config, dict) and MARK in config:
        return from_mergekit(config, path)
    if (
        not isinstance(config, dict)
        or not isinstance(config.get("method"), str)
        or not isinstance(config.get("params") or {}, dict)
    ):
        raise InputError(
            f"{path}: must hold 'method: NAME' and 'params: {{…}}', or mergekit's"
            f" {MARK!r} and 'models'; see conf/merge for examples."
        )
    if "versions" in config:
        config = _of_record(config, path)
    for key in config:
        if key not in OPTIONS:
            raise InputError(f"{path}: {unknown('setting', str(key), OPTIONS)}")
    return {**config, "params": dict(config.get("params") or {})}


def _of_record(record: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return what the record of a merge says that may be asked for again."""
    said = {key: record[key] for key in OPTIONS if key in record}
    try:
        said["base"] = record["base"]["path"]
        said["experts"] = [expert["path"] for expert in record["experts"]]
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{path}: is no whole record of a merge ({error!r})."
        ) from None
    if "rank" in record:  # of an adapter
        del said["format"]
        said["output_adapter"] = str(record["rank"])
    return said


def with_config(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of ``merge`` that are given, and those of their ``config``.

    Args:
        given: by name; each overrides the file's, and so does each parameter.

    Raises:
        InputError: the file has another form, or names another method.
    """
    from espnet_merge.methods._build import find_method

    given = {name: value for name, value in given.items() if value is not None}
    if "config" not in given:
        return given
    said = read_config(Path(given["config"]))
    method = given.get("method", said["method"])
    if find_method(method) != find_method(said["method"]):
        raise InputError(
            f"--method {method} contradicts {given['config']}, which says"
            f" {said['method']}; leave one of them out."
        )
    return {**said, **given, "params": {**said["params"], **given.get("params", {})}}
