"""A new recipe, and around it what its scripts need, where there is no clone."""

import shutil
import subprocess
import sys
from pathlib import Path

from espnet_merge.disk.atomic import whole_file
from espnet_merge.errors import InputError, warn

# Of the clone, if this is in one.
ROOT = Path(__file__).resolve().parents[1]
# In a wheel: template, configurations and scripts, in the tree that a clone has.
SHIPPED = Path(__file__).parent / "shipped"
SETUP = Path("egs2", "TEMPLATE", "merge1", "setup.sh")


def new_recipe(directory: Path) -> str:
    """Make a recipe directory, and return what is to be done next.

    Where the package is installed without a clone, the tree around the directory gets
    the template, ``conf``, ``local`` and ``tools``, once. Files that are there stay.

    Args:
        directory: ``egs2/<corpus>/<name>`` in a clone, or in a directory of the user's.

    Raises:
        InputError: it is there already, or has another place.
    """
    root = ROOT
    if not in_clone():
        root = _root_of(directory)
        lay_out(root)
    done = subprocess.run(
        [root / SETUP, directory], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise InputError(done.stderr.strip().removeprefix("setup.sh: error: "))
    return done.stdout.strip() + _scripts_to_get(root)


def in_clone() -> bool:
    """Return whether the package lies in a clone, and not in a wheel's directory."""
    return (ROOT / SETUP).exists()


def conf_file(group: str, name: Path | str) -> Path:
    """Return a file of the user's, or else that of ``conf/<group>`` with this name."""
    tree = ROOT if in_clone() else SHIPPED
    file = tree / "conf" / group / f"{name}.yaml"
    return file if file.is_file() and not Path(name).exists() else Path(name)


def lay_out(root: Path) -> None:
    """Write what a clone has around its recipes into ``root``.

    ``.venv`` becomes a link to the environment that runs this, where jobs find it.
    """
    for source in sorted(SHIPPED.rglob("*")):
        target = root / source.relative_to(SHIPPED)
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        elif not target.exists():
            with whole_file(target) as part:
                shutil.copy(source, part)
        elif target.read_bytes() != source.read_bytes():
            warn(f"{target}: differs from what is shipped, and stays as it is.")
    environment = root / ".venv"
    if not environment.exists():
        environment.unlink(missing_ok=True)  # a link to one that is gone
        environment.symlink_to(sys.prefix)


def _root_of(directory: Path) -> Path:
    place = directory.absolute()
    if directory.exists():
        raise InputError(f"'{directory}' must not exist yet; choose another name.")
    if place.parent.parent.name != "egs2":
        raise InputError(
            f"a recipe must be egs2/<corpus>/<name>, in a directory of yours; got"
            f" '{directory}'."
        )
    return place.parents[2]


def _scripts_to_get(root: Path) -> str:
    tools = root / "tools"
    locator = tools / "espnet_root.sh"
    if subprocess.run([locator], capture_output=True, check=False).returncode == 0:
        return ""
    return f"\n{tools / 'install_espnet.sh'} gets ESPnet's scripts (36 MB)"
