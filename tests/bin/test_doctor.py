import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from espnet_merge import installation as doctor
from espnet_merge.__main__ import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def installation(tmp_path, monkeypatch):
    """A complete installation that the tests may damage."""
    template = tmp_path / "egs2" / "TEMPLATE" / "asr1"
    for script in doctor.SCRIPTS:
        (template / script).parent.mkdir(parents=True, exist_ok=True)
        (template / script).touch(mode=0o755)
    versions = {"espnet_merge": "0.1.0", "torch": "2.9.1", "peft": "0.21.0"}
    requirements = ["torch<3,>=2.9", "peft<0.22,>=0.21", 'ruff; extra == "dev"']

    def version(name):
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    def requires(name):
        version(name)
        return requirements

    perl = tmp_path / "bin" / "perl"
    perl.parent.mkdir()
    perl.touch(mode=0o755)
    monkeypatch.setenv("PATH", f"{perl.parent}:/usr/bin:/bin")
    monkeypatch.setenv("ESPNET_ROOT", str(tmp_path))
    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(metadata, "requires", requires)
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    return versions, template


def run_doctor(capsys):
    try:
        main(["doctor"])
    except SystemExit as error:
        status = error.code
    else:
        status = 0
    return status, capsys.readouterr()


def states(out):
    return {line[8:42].strip(): line[:8].strip() for line in out.splitlines()}


def test_complete_installation_passes(installation, capsys):
    status, printed = run_doctor(capsys)
    assert status == 0
    assert printed.err == ""
    found = states(printed.out)
    assert found["torch"] == found["ESPnet's scripts"] == found["threads"] == "ok"
    assert "ruff" not in found


@pytest.mark.parametrize("version", ["0.20.9", "0.22.0"])
def test_wrong_version_is_named_with_its_range(installation, capsys, version):
    versions, _ = installation
    versions["peft"] = version
    status, printed = run_doctor(capsys)
    assert status == 2
    assert states(printed.out)["peft"] == "wrong"
    assert f"{version}, needs <0.22,>=0.21; make setup" in printed.out
    assert len(printed.err.splitlines()) == 1
    assert "1 missing or wrong: peft;" in printed.err


def test_missing_packages_are_all_named(installation, capsys):
    versions, _ = installation
    del versions["torch"], versions["peft"]
    status, printed = run_doctor(capsys)
    assert status == 2
    assert "2 missing or wrong: torch, peft;" in printed.err


def test_without_a_clone_what_an_extra_brings_is_a_note(
    installation, monkeypatch, capsys
):
    versions, _ = installation
    extra = ['optuna>=5; extra == "search"', 'optuna>=5; extra == "all"']
    monkeypatch.setattr(metadata, "requires", lambda _: ["torch<3,>=2.9", *extra])
    assert run_doctor(capsys)[0] == 2
    monkeypatch.setattr(doctor, "in_clone", lambda: False)
    monkeypatch.setattr(doctor, "extra_of", {"optuna": "search"}.get)
    status, printed = run_doctor(capsys)
    assert (status, states(printed.out)["optuna"]) == (0, "note")
    assert "optional, not found; pip install 'espnet_merge[search]'" in printed.out
    versions["optuna"] = "4.9"
    assert run_doctor(capsys)[0] == 2
    del versions["optuna"], versions["torch"]
    assert "pip install 'torch<3,>=2.9'" in run_doctor(capsys)[1].out


def test_package_that_is_not_installed(installation, capsys):
    versions, _ = installation
    versions.clear()
    status, printed = run_doctor(capsys)
    assert status == 2
    assert states(printed.out)["espnet_merge"] == "missing"


@pytest.mark.parametrize(
    ("version", "state"),
    [((3, 11), "wrong"), ((3, 12), "ok"), ((3, 13), "ok"), ((3, 14), "wrong")],
)
def test_python_version(version, state):
    assert doctor.check_python(version).state == state


def test_script_without_run_bit_is_missing(installation, capsys):
    _, template = installation
    (template / "utils" / "slurm.pl").chmod(0o644)
    status, printed = run_doctor(capsys)
    assert status == 2
    assert states(printed.out)["utils/slurm.pl"] == "missing"


def test_absent_espnet_shows_the_locators_remedy(installation, monkeypatch, capsys):
    monkeypatch.setenv("ESPNET_ROOT", "/nonexistent")
    status, printed = run_doctor(capsys)
    assert status == 2
    assert states(printed.out)["ESPnet's scripts"] == "missing"
    assert "set ESPNET_ROOT" in printed.out


def test_absent_optional_tools_are_notes(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda *_, **__: None)
    findings = {finding.name: finding for finding in doctor.check_tools()}
    assert [name for name, f in findings.items() if f.is_problem] == ["perl"]
    assert "apt-get install sctk" in str(findings["sclite"])


def test_full_check_reports_a_failing_import(monkeypatch):
    def import_module(name):
        if name == "peft":
            raise ImportError("no symbol\nin libtorch")
        return sys

    monkeypatch.setattr(doctor.importlib, "import_module", import_module)
    findings = {finding.name: finding for finding in doctor.check_imports()}
    assert findings["transformers"].state == "ok"
    assert findings["peft"].state == "wrong"
    assert findings["peft"].detail == "does not import: no symbol in libtorch"


def test_check_install_needs_no_installation(tmp_path):
    answer = subprocess.run(
        [sys.executable, "-S", ROOT / "tools" / "check_install.py"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2
    assert "missing or wrong" in answer.stderr
    assert "Traceback" not in answer.stderr
