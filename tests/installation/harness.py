"""Fresh environments with the wheel and nothing but what the base and some extras bring, without a network.

Each is a real virtual environment. Its packages are links to those that the tests run with: of the distributions that
pip would install for ``surgnav[extra]``, and of no other. Nothing of the checkout is on its path.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import REPOSITORY
from tests.house import PACKAGES

_NOT_PACKAGED = shutil.ignore_patterns("__pycache__")


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    Attributes:
        folder: where it lies.
        python: its interpreter.
    """

    folder: Path
    python: Path

    def run(self, *arguments: str | Path, cwd: Path, timeout_s: float = 200.0) -> subprocess.CompletedProcess[str]:
        """Runs its Python; output is kept, a failure is left to the caller."""
        return subprocess.run(
            [str(self.python), *map(str, arguments)],
            cwd=cwd,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of a program in it: no path to the checkout."""
        return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def build_wheel(folder: Path) -> Path:
    """The wheel, built from a copy: setuptools leaves its work in the folder that it builds."""
    source = folder / "source"
    for package in PACKAGES:
        shutil.copytree(REPOSITORY / package, source / package, ignore=_NOT_PACKAGED)
    shutil.copytree(REPOSITORY / "tests" / "geometry", source / "tests" / "geometry", ignore=_NOT_PACKAGED)  # stays out
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    _pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(source))
    (wheel,) = folder.glob("surgnav-*.whl")
    return wheel


def make_environment(folder: Path, wheel: Path, extras: Iterable[str]) -> Environment:
    """An environment with the wheel, the base's packages and those of `extras`."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    environment = Environment(folder, folder / "bin" / "python")
    packages = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    for name in distributions_of(extras):
        _link(metadata.distribution(name), packages)
    _pip("--python", str(environment.python), "install", "--no-deps", "--no-index", str(wheel))
    return environment


def distributions_of(extras: Iterable[str]) -> set[str]:
    """What pip would install for the base and `extras`, dependencies of dependencies included."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    to_visit, needed = list(lines), set()
    while to_visit:
        requirement = Requirement(to_visit.pop())
        name = canonicalize_name(requirement.name)
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if wanted and name not in needed and not name.startswith(("nvidia-", "cuda-", "triton")):
            needed.add(name)
            to_visit += metadata.requires(name) or []
    return needed


def _link(distribution: metadata.Distribution, packages: Path) -> None:
    tops = {Path(file.parts[0]) for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}
    for top in tops:
        if not (packages / top).exists():
            (packages / top).symlink_to(Path(str(distribution.locate_file(top))))


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", *arguments]
    made = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    if made.returncode != 0:
        raise RuntimeError(f"pip failed: {made.stdout}{made.stderr}")
