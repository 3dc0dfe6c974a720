"""Age of the contours on the screen while both cores are busy with other programs.

    python benchmarks/ultrasound/bench_ultrasound_busy.py DATA [--seconds 20]

`surgnav ultrasound run` plays the in-vivo frames of DATA/us/usgra_train of one size (512x534) at 30 frames a second,
with both networks: quiet, with two computing programs and one that moves memory for each core, and the same without
a higher priority for the ultrasound process. Whatever the load, no contour older than 100 ms is shown, and the age of
the frames does not grow: the exit code is 1 if a contour was, or if the second half of a run was older than the first
by more than half.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

LIMIT_MS = 100.0
SIZE = (512, 534)
SPIN = "while True: pass"
COPY = "import numpy as np\na, b = np.ones(1 << 25), np.ones(1 << 25)\nwhile True: a[:] = b"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    failed = False
    print(
        "model              load        frames/s  age when ready p50/p99/max ms  age on screen max ms  on screen usable"
    )
    with tempfile.TemporaryDirectory() as name:
        frames = sequence(options.data / "us" / "usgra_train" / "images", Path(name) / "frames")
        for model in ("nerve_vessel", "nerve_vessel_tiny"):
            for scenario in ("quiet", "busy", "busy, no priority"):
                out = Path(name) / f"{model} {scenario}"
                with load(scenario != "quiet"):
                    numbers = run(frames, model, out, options.seconds, goes_first="no" not in scenario)
                failed |= show(model, scenario, numbers, ages(out))
    return int(failed)


def sequence(images: Path, folder: Path) -> Path:
    """The frames of one size, as a folder that is played as a recording."""
    folder.mkdir()
    for path in sorted(images.glob("*.png")):
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if pixels is not None and pixels.shape == SIZE:
            cv2.imwrite(str(folder / path.name), pixels)
    return folder


@contextlib.contextmanager
def load(is_on: bool) -> Iterator[None]:
    """While the block runs and `is_on`, two computing programs and one that moves memory for each core."""
    cores = os.cpu_count() or 1
    running = [subprocess.Popen([sys.executable, "-c", each]) for each in ([SPIN] * 2 + [COPY]) * cores if is_on]
    time.sleep(2.0 * is_on)
    try:
        yield
    finally:
        for each in running:
            each.kill()
            each.wait()


def run(frames: Path, model: str, out: Path, seconds: float, goes_first: bool) -> dict[str, Any]:
    words = ["ultrasound", "run", str(frames), "--rate", "30", "--loop", "--seconds", str(seconds), "--model", model]
    words += ["--no-window", "--out", str(out), "--json", str(out.with_suffix(".json"))]
    words += [] if goes_first else ["--no-priority"]
    program = "from navigation.cli import main; main()"
    subprocess.run([sys.executable, "-c", program, *words], check=True, capture_output=True)
    numbers: dict[str, Any] = json.loads(out.with_suffix(".json").read_text("utf-8"))
    return numbers


def ages(out: Path) -> np.ndarray:
    lines = (out / "contours.jsonl").read_text("utf-8").splitlines()[1:]
    return np.array([json.loads(line)["age_ms"] for line in lines])


def show(model: str, scenario: str, numbers: dict[str, Any], ages_ms: np.ndarray) -> bool:
    """Prints a row; returns whether it fails."""
    shown, ready = numbers["age_of_shown_contours_ms"], numbers["age_when_ready_ms"]
    usable = numbers["shown"].get("usable", 0) / sum(numbers["shown"].values())
    first, second = (float(np.median(part)) for part in np.array_split(ages_ms, 2))
    longest = 0.0 if shown is None else shown["max"]
    print(
        f"{model:18} {scenario:18} {numbers['frames_a_second']:5.1f}"
        f"  {ready['p50']:6.0f} /{ready['p99']:5.0f} /{ready['max']:5.0f}  {longest:8.0f}  {usable:12.0%}"
        f"   halves {first:.0f}, {second:.0f} ms"
    )
    return longest > LIMIT_MS or second > 1.5 * first + 10.0


if __name__ == "__main__":
    raise SystemExit(main())
