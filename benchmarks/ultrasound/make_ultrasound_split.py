"""Splits a folder of frames for training: similar frames form a group, and whole groups are held out.

    python benchmarks/ultrasound/make_ultrasound_split.py IMAGES --threshold 0.42 --held-out 40 --seed 13

prints the table of reconstruction/training/images/usgra_split.csv, by the method of
`reconstruction.training.images.split`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from reconstruction.training.images.files import read_pixels, to_grey
from reconstruction.training.images.split import draw_parts, groups, likeness


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--threshold", type=float, default=0.42)
    parser.add_argument("--held-out", type=int, default=40)
    parser.add_argument("--validation", type=int, default=20)
    parser.add_argument("--seed", type=int, default=13)
    a = parser.parse_args()
    paths = sorted(a.images.glob("*.png"))
    group = groups(likeness([to_grey(read_pixels(path)) for path in paths]), a.threshold)
    parts = draw_parts(group, a.held_out, a.validation, a.seed)
    print("# usgra_train: which frames are trained on. Frames of one group look alike and stay together. Made by")
    print(
        f"# python benchmarks/ultrasound/make_ultrasound_split.py IMAGES --threshold {a.threshold} "
        f"--held-out {a.held_out} --validation {a.validation} --seed {a.seed}"
    )
    print("# name,group,part")
    for path, number, part in zip(paths, group, parts, strict=True):
        print(f"{path.stem},{number},{part}")


if __name__ == "__main__":
    main()
