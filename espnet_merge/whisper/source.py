"""Where a model is: a path of this machine, or a name on the hub."""

from functools import partial
from pathlib import Path
from typing import Any

from espnet_merge.checkpoint.hub_names import ON_HUB, is_hub_name
from espnet_merge.errors import InputError
from espnet_merge.options import AnyPath, Option


def local_model(source: AnyPath, *, weights: bool = True) -> AnyPath:
    """Return the path of a model; one on the hub is downloaded.

    A path that exists comes before a name on the hub. What is neither is returned as
    it is, for whoever opens it says what is wrong.

    Args:
        source: path or name.
        weights: take the weights, too, not only what stands beside them.

    Raises:
        InputError: it can be a name alone, and the hub does not give the model.
    """
    name = str(source)
    if not is_hub_name(name) or Path(name).exists():
        return source
    from espnet_merge.whisper.hub import download

    try:
        return download(name, weights=weights)
    except InputError as error:
        raise InputError(f"{error} Nor is there a path {name}.") from error
    except OSError as error:
        if error.errno:  # of this machine, such as a full disk
            raise
        raise InputError(
            f"{name}: there is no such path, nor a copy of such a model, and the hub"
            f" was not reached ({_first_line(error)}): correct the path, or connect."
        ) from error


def local_path(recorded: str) -> Path:
    """Return the path of a model that a record names, as ``local_model`` finds it."""
    return Path(local_model(recorded))


def _first_line(error: OSError) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")


def model_option(
    help: str,
    *,
    weights: bool = True,
    **more: Any,  # noqa: ANN401
) -> Option:
    """Return what stands beside an option that names a model, or several.

    Args:
        help: what it is.
        weights: whether its weights are used.
        more: further arguments of ``Option``.
    """
    find = partial(local_model, weights=weights)
    return Option(f"{help}; a path, or {ON_HUB}", find=find, **more)
