"""Debian's Mono: the second runtime, and the nearest relative of Unity's own that CI can have."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from scripts.csharp.toolchain import ToolchainError

# In scripts/setup, too, which installs them.
PACKAGES = "mono-runtime libmono-system4.0-cil libmono-system-core4.0-cil libmono-system-io-compression4.0-cil"
_NEEDED = ("mscorlib", "System", "System.Core", "System.Xml", "System.Numerics", "System.IO.Compression")


@dataclass(frozen=True)
class Mono:
    """Where it is.

    Attributes:
        program: the runtime.
        assemblies: the folder of its class libraries, which are compiled against, too.
    """

    program: Path
    assemblies: Path


def ensure_mono() -> Mono:
    """Mono, as it is installed.

    Raises:
        ToolchainError: it is not, or not all of it.
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
