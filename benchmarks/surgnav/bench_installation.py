"""How long ``import surgnav`` takes, and how large the base and each extra are.

    .venv/bin/python benchmarks/surgnav/bench_installation.py [--runs 20]

Times are inside fresh processes, numpy's and scipy's beside them. Sizes are those of the files that pip would install
for the base with one extra, dependencies included, without pip itself.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from geometry.extras import EXTRAS
from tests.conftest import REPOSITORY
from tests.installation.harness import distributions_of

ASK = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
BAR_S, BAR_MB = 0.15, 300.0


def import_s(package: str, runs: int) -> float:
    """The median over fresh processes, the first of which only warms the disk's cache.

    Without ``site``, whose .pth files import half of the standard library before the clock starts.
    """
    path = os.pathsep.join([str(REPOSITORY), sysconfig.get_path("purelib")])
    command = [sys.executable, "-S", "-c", ASK.format(package)]
    environment = {**os.environ, "PYTHONPATH": path}
    times = [
        float(subprocess.run(command, capture_output=True, check=True, env=environment).stdout) for _ in range(runs + 1)
    ][1:]
    return sorted(times)[len(times) // 2]


def size_mb(extras: tuple[str, ...]) -> float:
    files = [file for name in distributions_of(extras) for file in metadata.files(name) or ()]
    paths = {Path(str(file.locate())) for file in files}
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    seconds = {package: import_s(package, runs) for package in ("surgnav", "numpy", "scipy.spatial")}
    for package, median in seconds.items():
        print(f"import {package:14} {median:6.3f} s")
    base = size_mb(())
    print(f"{'base':21} {base:6.0f} MB")
    for extra in EXTRAS:
        print(f"base + {extra:14} {size_mb((extra,)):6.0f} MB")
    print(f"{'all':21} {size_mb(tuple(EXTRAS)):6.0f} MB")
    return 0 if seconds["surgnav"] < BAR_S and base < BAR_MB else 1


if __name__ == "__main__":
    sys.exit(main())
