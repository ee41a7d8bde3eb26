"""Which method merges, and its parameters: a YAML file, and words like scale=0.3."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from espnet_merge.errors import InputError


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


def read_config(path: Path) -> tuple[str, dict[str, Any]]:
    """Return method and parameters of a ``conf/merge/<method>.yaml``.

    Raises:
        InputError: the file is missing, or holds anything else.
    """
    import yaml

    if not path.is_file():
        raise InputError(f"{path}: no such file; see conf/merge for examples.")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid YAML ({error}).") from error
    if (
        not isinstance(config, dict)
        or not config.keys() <= {"method", "params"}
        or not isinstance(config.get("method"), str)
        or not isinstance(config.get("params") or {}, dict)
    ):
        raise InputError(
            f"{path}: must hold 'method: NAME' and 'params: {{…}}' and nothing else;"
            " see conf/merge for examples."
        )
    return config["method"], dict(config.get("params") or {})


def method_and_params(
    method: str | None, config: Path | None, params: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return the name of the method, and its parameters: ``config``, under ``params``.

    Args:
        method: name; None where ``config`` says it.
        config: file of method and parameters.
        params: parameters that stand over those of the file.

    Raises:
        InputError: the file has another form, or names another method; or none is
            named.
    """
    name, read = (method, {}) if config is None else read_config(config)
    if method and method != name:
        raise InputError(
            f"--method {method} contradicts {config}, which says {name};"
            " leave one of them out."
        )
    if not name:
        raise InputError("--method is missing; give it, or a --config with 'method'.")
    return name, read | dict(params)
