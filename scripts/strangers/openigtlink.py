"""Compiles the example programs of OpenIGTLink's reference library: ``python -m scripts.strangers.openigtlink``.

The sources are Debian's, unchanged; only the number of digits that they print is raised (``exact_digits.cxx``). They
are compiled once into ``.venv/openigtlink``, by ``scripts/setup tests`` or by the first test that asks for one.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

from geometry.errors import SurgNavError

# The same packages are in scripts/setup, which installs them.
PACKAGES = "g++ libopenigtlink-dev openigtlink-examples"
HEADERS = Path("/usr/include/openigtlink")
SOURCES = Path("/usr/share/doc/openigtlink-examples/examples")
TEST_IMAGES = SOURCES / "Imager" / "img"
_DIGITS = Path(__file__).with_name("exact_digits.cxx")
_FOLDER = Path(sys.prefix) / "openigtlink"
_TIME_LIMIT_S = 600

# Program -> folder of its source. Servers are read by the driver; clients read the server.
PROGRAMS = {
    "TrackerServer": "Tracker",
    "TrackingDataServer": "TrackingData",
    "QuaternionTrackingDataServer": "QuaternionTrackingData",
    "ImagerServer": "Imager",
    "PointServer": "Point",
    "PolyDataServer": "PolyData",
    "StatusServer": "Status",
    "StringServer": "String",
    "ReceiveClient": "Receiver",
    "TrackingDataClient": "TrackingData",
    "QuaternionTrackingDataClient": "QuaternionTrackingData",
    "PolyDataClient": "PolyData",
    "ImagerClient": "Imager",
}


class ExamplesError(SurgNavError):
    """The example programs cannot be compiled on this machine."""


def ensure_examples() -> dict[str, Path]:
    """The compiled programs by name; those that are missing or outdated are compiled, while a second caller waits.

    Raises:
        ExamplesError: no compiler, no library or no sources; or one cannot be compiled.
    """
    if not (HEADERS.is_dir() and SOURCES.is_dir()):
        raise ExamplesError(
            f"no {HEADERS if SOURCES.is_dir() else SOURCES}", f"Debian's {PACKAGES}", "make setup-tests"
        )
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (_FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return {name: _compiled(name, SOURCES / folder / f"{name}.cxx") for name, folder in PROGRAMS.items()}


def _compiled(name: str, source: Path) -> Path:
    key = hashlib.sha256(source.read_bytes() + _DIGITS.read_bytes()).hexdigest()[:16]
    program = _FOLDER / f"{name}_{key}"
    if program.exists():
        return program
    half_made = program.with_suffix(".new")
    # As Debian's UseOpenIGTLink.cmake has it, without optimisation: they are run for seconds.
    command = ["g++", "-O0", "-w", f"-I{HEADERS}", str(source), str(_DIGITS), "-o", str(half_made)]
    try:
        subprocess.run(
            [*command, "-lOpenIGTLink", "-lpthread"], capture_output=True, text=True, check=True, timeout=_TIME_LIMIT_S
        )
    except (OSError, subprocess.SubprocessError) as error:
        words = getattr(error, "stderr", None) or str(error)
        raise ExamplesError(
            f"{name}, which cannot be compiled: {words.strip()[-600:]}", f"Debian's {PACKAGES}", "make setup-tests"
        ) from error
    half_made.rename(program)
    return program


if __name__ == "__main__":
    sys.stdout.write(f"{len(ensure_examples())} programs in {_FOLDER}\n")
