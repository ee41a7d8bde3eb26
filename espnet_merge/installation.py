"""Whether everything is installed, and what to do about each piece that is not."""

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from espnet_merge.extras import extra_of
from espnet_merge.recipe import ROOT, in_clone

SCRIPTS = [
    "utils/run.pl",
    "utils/slurm.pl",
    "utils/combine_data.sh",
    "utils/fix_data_dir.sh",
    "utils/utt2spk_to_spk2utt.pl",
]
# What the demo leaves on disk, with room to spare.
DEMO_GIGABYTES = 10


@dataclass(frozen=True)
class Finding:
    """One line of the report: ``state`` is ok, missing, wrong or note."""

    name: str
    state: str
    detail: str
    remedy: str = ""

    @property
    def is_problem(self) -> bool:
        """Whether a required piece is absent or unusable."""
        return self.state in ("missing", "wrong")

    def __str__(self) -> str:
        """Show state, name, what was found and what to do about it."""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.state:8}{self.name:34}{self.detail}{remedy}"


def check_all(*, full: bool) -> Iterator[Finding]:
    """Yield a finding per piece, in the order in which one would mend them."""
    yield check_python(sys.version_info[:2])
    yield from check_packages()
    yield from check_scripts()
    yield from check_tools()
    yield from check_machine()
    if full:
        yield from check_imports()


def check_python(version: tuple[int, ...]) -> Finding:
    """Compare the running Python with what ESPnet 202611 supports."""
    found = ".".join(map(str, version))
    if (3, 12) <= version < (3, 14):
        return Finding("python", "ok", f"{found} ({sys.executable})")
    return Finding("python", "wrong", f"{found}, needs 3.12 or 3.13", "make setup")


def check_packages() -> Iterator[Finding]:
    """Compare each installed dependency with the range in our metadata."""
    try:
        requirements = metadata.requires("espnet_merge") or []
        version = metadata.version("espnet_merge")
    except metadata.PackageNotFoundError:
        yield Finding("espnet_merge", "missing", "not installed", "make setup")
        return
    yield Finding("espnet_merge", "ok", version)
    try:
        from packaging.requirements import Requirement
    except ImportError:
        yield Finding("packaging", "missing", "not installed", "make setup")
        return
    for requirement in map(Requirement, requirements):
        name, versions = requirement.name, str(requirement.specifier)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield check_package(name, versions)
        elif requirement.marker.evaluate({"extra": "all"}):
            yield check_optional(name, versions)


def check_package(name: str, versions: str) -> Finding:
    """Compare the installed version of one package with the range ``versions``."""
    from packaging.specifiers import SpecifierSet

    remedy = "make setup" if in_clone() else f"pip install '{name}{versions}'"
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(name, "missing", f"needs {versions}", remedy)
    if SpecifierSet(versions).contains(found, prereleases=True):
        return Finding(name, "ok", found)
    return Finding(name, "wrong", f"{found}, needs {versions}", remedy)


def check_optional(name: str, versions: str) -> Finding:
    """Do so for a package of an extra; without a clone, its absence is no fault."""
    finding = check_package(name, versions)
    if finding.state != "missing" or in_clone():
        return finding
    remedy = f"pip install 'espnet_merge[{extra_of(name)}]'"
    return Finding(name, "note", "optional, not found", remedy)


def check_scripts() -> Iterator[Finding]:
    """Look for the ESPnet scripts that the recipes call, where the recipes look."""
    locator = ROOT / "tools" / "espnet_root.sh"
    if not locator.exists():
        remedy = "espnet-merge new-recipe egs2/CORPUS/NAME makes one"
        yield Finding("recipes", "note", "none beside this package", remedy)
        return
    answer = subprocess.run([locator], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        reason = answer.stderr.strip().partition("error: ")[2]
        yield Finding("ESPnet's scripts", "missing", reason)
        return
    template = Path(answer.stdout.strip(), "egs2", "TEMPLATE", "asr1")
    yield Finding("ESPnet's scripts", "ok", str(template))
    for script in SCRIPTS:
        if not os.access(template / script, os.X_OK):
            yield Finding(
                script,
                "missing",
                f"not an executable file in {template}",
                "delete tools/espnet and run make setup, or mend ESPNET_ROOT",
            )


def check_tools() -> Iterator[Finding]:
    """Look for programs: perl is required by ESPnet's scripts, the rest is optional."""
    perl = shutil.which("perl")
    if perl:
        yield Finding("perl", "ok", perl)
    else:
        yield Finding("perl", "missing", "not on PATH", "apt-get install perl")
    optional = {
        "sclite": "rapidfuzz aligns without it; apt-get install sctk",
        "sbatch": "jobs run on this machine; on a cluster load SLURM",
        "apt-get": "corpora are downloaded by address instead",
        "nvidia-smi": "no NVIDIA driver, training runs on the CPU",
    }
    # Debian's sctk installs sclite outside PATH.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/lib/sctk/bin"])
    for name, otherwise in optional.items():
        found = shutil.which(name, path=path)
        if found:
            yield Finding(name, "ok", found)
        else:
            yield Finding(name, "note", "optional, not found", otherwise)


def check_machine() -> Iterator[Finding]:
    """Report free disk and threads; too little disk is a note, not a fault."""
    free = shutil.disk_usage(ROOT).free / 1e9
    if free >= DEMO_GIGABYTES:
        yield Finding("free disk", "ok", f"{free:.0f} GB")
    else:
        remedy = f"the demo wants {DEMO_GIGABYTES} GB"
        yield Finding("free disk", "note", f"{free:.1f} GB", remedy)
    limit = os.environ.get("OMP_NUM_THREADS", "not set")
    threads = len(os.sched_getaffinity(0))
    yield Finding("threads", "ok", f"{threads} (OMP_NUM_THREADS {limit})")


def check_imports() -> Iterator[Finding]:
    """Import what takes long to import, because versions alone do not prove it."""
    for name in ["torch", "transformers", "peft", "espnet2.tasks.abs_task"]:
        try:
            importlib.import_module(name)
        except Exception as error:  # any failure of an import is the finding
            detail = f"does not import: {' '.join(str(error).split())}"
            yield Finding(name, "wrong", detail, "make setup")
        else:
            yield Finding(name, "ok", "imports")
    if torch := sys.modules.get("torch"):
        count = torch.cuda.device_count()
        yield Finding("GPUs for torch", "ok" if count else "note", str(count))
