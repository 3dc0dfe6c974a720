"""Checks of Python and the libraries: installed, and in the versions that were tested together."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from geometry.extras import EXTRAS, install_command, missing_packages
from navigation.commands.doctor.report import Finding, Status
from navigation.demo.data import cached_demo_ct
from navigation.user_folders import cache_directory

GROUP = "software"
_BASE_LIBRARIES = ("numpy", "pydantic", "pyzmq", "scipy", "trimesh")
_EXTRA_LIBRARIES = ("torch", "monai", "openvino", "onnxruntime", "vtk", "open3d", "simpleitk")
_REPAIR = "run make setup in the checkout"


def python(supported: tuple[int, int]) -> Iterator[Finding]:
    """Checks the running interpreter against the only Python series that was tested."""
    version = sys.version.split()[0]
    action = f"use Python {supported[0]}.{supported[1]}: make setup finds it, or says how to get it"
    good = sys.version_info[:2] == supported
    yield Finding.judged(GROUP, "python", good, f"{version} in {sys.prefix}", action, {"version": version})


def libraries(lock_file: Path) -> Iterator[Finding]:
    """Checks every installed package against the locked version; the key libraries are listed with their versions."""
    installed = _installed()
    key = {name: installed.get(name) for name in _BASE_LIBRARIES}
    key |= {name: installed[name] for name in _EXTRA_LIBRARIES if name in installed}
    found = ", ".join(f"{name} {version or 'missing'}" for name, version in key.items())
    absent = [name for name, version in key.items() if version is None]
    if absent:
        yield Finding(GROUP, "libraries", Status.FAIL, found, _REPAIR, key)
    else:
        yield Finding(GROUP, "libraries", Status.OK, found, values=key)

    if not lock_file.is_file():
        found = f"no {lock_file.name} here: versions are within the tried ranges at best"
        yield Finding(GROUP, "lock file", Status.WARN, found, "work from a checkout for the exact versions")
        return
    locked = read_lock(lock_file)
    other = [
        f"{name} {installed.get(name, 'missing')} instead of {version}"
        for name, version in locked.items()
        if installed.get(name) != version
    ]
    good = f"all {len(locked)} packages in the locked versions"
    found = f"{len(other)} of {len(locked)} packages differ: {', '.join(other)}" if other else good
    values = {"locked": len(locked), "differing": len(other)}
    yield Finding.judged(GROUP, "lock file", not other, found, _REPAIR, values)


def extras() -> Iterator[Finding]:
    """Which extras are installed as a whole; one that nobody needs is no trouble."""
    missing = {extra: missing_packages(extra) for extra in EXTRAS}
    found = ", ".join(extra for extra, packages in missing.items() if not packages) or "the base alone"
    absent = [f"{extra} (no {', '.join(packages)})" for extra, packages in missing.items() if packages]
    if absent:
        names = [extra for extra, packages in missing.items() if packages]
        found += f"; not installed: {', '.join(absent)}; where you need them: {install_command(*names)}"
    values = {extra: int(not packages) for extra, packages in missing.items()}
    yield Finding(GROUP, "extras", Status.OK, found, values=values)


def demo_ct() -> Iterator[Finding]:
    """Reports whether the demo's CT is cached and intact; the demo downloads it otherwise."""
    cached = cached_demo_ct()
    if cached is not None:
        found = f"cached in {cached.parent}"
    else:
        found = f"not cached yet: the first make demo brings it (35 MB) to {cache_directory()}"
    yield Finding(GROUP, "demo CT", Status.OK, found, values={"cached": int(cached is not None)})


def read_lock(lock_file: Path) -> dict[str, str]:
    """Package -> version of a file with lines ``name==version``; names are normalised, comments ignored."""
    lines = (line.partition("#")[0].strip() for line in lock_file.read_text().splitlines())
    pinned = (line.partition("==") for line in lines if line)
    return {_normalised(name): version for name, _, version in pinned}


def _installed() -> Mapping[str, str]:
    """Installed package -> version without its local label: 2.13.0+cpu becomes 2.13.0."""
    return {
        _normalised(distribution.metadata["Name"]): distribution.version.partition("+")[0]
        for distribution in metadata.distributions()
    }


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
