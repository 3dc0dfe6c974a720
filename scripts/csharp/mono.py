"""Debian's Mono: the second runtime, and the closest to Unity's own that is available to CI."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from scripts.csharp.toolchain import ToolchainError

# The same packages are in scripts/setup, which installs them.
PACKAGES = "mono-runtime libmono-system4.0-cil libmono-system-core4.0-cil libmono-system-io-compression4.0-cil"
_NEEDED = ("mscorlib", "System", "System.Core", "System.Xml", "System.Numerics", "System.IO.Compression")


@dataclass(frozen=True)
class Mono:
    """An installation of Mono.

    Attributes:
        program: path of the runtime.
        assemblies: folder of its class libraries, which sources are compiled against too.
    """

    program: Path
    assemblies: Path


def ensure_mono() -> Mono:
    """The installed Mono.

    Raises:
        ToolchainError: Mono is not installed, or not completely.
    """
    program = shutil.which("mono")
    mono = Mono(Path(program or "mono"), Path("/usr/lib/mono/4.5"))
    missing = [name for name in _NEEDED if not (mono.assemblies / f"{name}.dll").exists()]
    if program is None or missing:
        raise ToolchainError(
            f"no Mono with {', '.join(missing) or 'a runtime'} in {mono.assemblies}",
            f"Debian's packages {PACKAGES}",
            f"run 'make setup', or 'apt-get install --no-install-recommends {PACKAGES}'",
        )
    return mono
