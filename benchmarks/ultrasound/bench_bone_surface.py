"""The surface of bone in recorded frames: accuracy against marks made by hand, false bone, time, and a rival.

    python benchmarks/ultrasound/bench_bone_surface.py DATA [--picture bone.png]

DATA holds tracking/pluslib/ and us/. The rival is SlicerIGT's U-Net for sagittal scans of the spine (aigt,
SagittalSpine_05.h5, 128 x 128 grey values 0 to 1), rebuilt in torch, TensorFlow being no dependency. Which way round it
wants its images is not recorded, nor whether the black beside the image belongs to them: all are tried, and the one
that finds most marks counts. Its surface is the uppermost pixel of each column with a probability of bone over 0.5. It
was trained on sagittal scans by a curved probe; the marked spine frames are transverse, by a linear one. One thread.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from keras_networks import KerasNetwork

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from reconstruction.training.images.files import read_pixels, to_grey
from reconstruction.ultrasound.bone_surface import find_bone_surface
from tests.reconstruction.ultrasound.bone_marks import FEMUR, SPINE, BoneScore, read_frames, score_bone

Finder = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
# Recordings without bone: wires in water, the bottom of a tank.
WITHOUT = ("NwirePhantomFreehand", "fCal_Test_Calibration_3NWires", "WaterTankBottomTranslationCombined")
RUNS = 5
SHOWN = ((FEMUR, 0), (SPINE, 7), (SPINE, 12))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--picture", type=Path, help="PNG of three frames with the surface found")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    frames = {name: read_frames(options.data, name) for name in (FEMUR, SPINE, *WITHOUT)}
    spine = options.data / "us" / "networks_of_others" / "sagittal_spine_unet" / "SagittalSpine_05.h5"
    finders = {"SurgNav": surface, "rival": best_rival(KerasNetwork(spine), frames[SPINE])}
    for who, find in finders.items():
        for name in (FEMUR, SPINE):
            print(f"{who}, " + score_bone(name, frames[name], find).line(name))
        show_time(who, find, frames[SPINE])
        for name in WITHOUT:
            show_drawn(who, find, name, list(frames[name]))
        for name, pictures in other_frames(options.data).items():
            show_drawn(who, find, name, pictures)
    if options.picture:
        draw([(frames[name][number], f"{name}, frame {number}") for name, number in SHOWN], options.picture)


def surface(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows, by this project's finder."""
    found = find_bone_surface(frame)
    return found.columns, found.rows


def rival_finder(network: KerasNetwork, cropped: bool, turned: bool, upside_down: bool) -> Finder:
    """The rival on frames placed in one of the ways."""

    def find(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        inside = np.flatnonzero(frame.any(axis=0)) if cropped else np.arange(frame.shape[1])
        if not len(inside):
            return np.empty(0, int), np.empty(0)
        part = frame[:, inside[0] : inside[-1] + 1]
        small = cv2.resize(part, (128, 128), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        small = small.T if turned else small
        small = small[::-1] if upside_down else small
        bone = network.run(np.ascontiguousarray(small)[None])[0, 1]
        bone = bone[::-1] if upside_down else bone
        bone = np.ascontiguousarray(bone.T if turned else bone)
        over = cv2.resize(bone, part.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
        columns = np.flatnonzero(over.any(axis=0))
        return columns + inside[0], over[:, columns].argmax(axis=0).astype(float)

    return find


def best_rival(network: KerasNetwork, frames: np.ndarray) -> Finder:
    """The way of placing frames that finds most of the spine's marks."""
    ways = [(cropped, turned, down) for cropped in (False, True) for turned in (False, True) for down in (False, True)]
    finders = {way: rival_finder(network, *way) for way in ways}
    scores: dict[tuple[bool, bool, bool], BoneScore] = {
        way: score_bone(SPINE, frames, find) for way, find in finders.items()
    }
    best = max(ways, key=lambda way: (scores[way].hits, -scores[way].false))
    words = zip(("cropped", "turned", "upside down"), best, strict=True)
    placed = ", ".join(word if done else f"not {word}" for word, done in words)
    print(f"rival: {network.parameters:,} parameters; at its best with frames {placed}")
    return finders[best]


def other_frames(data: Path) -> dict[str, list[np.ndarray]]:
    """Frames of soft tissue: nerves and vessels, a few with bone at the edge; a liver under its diaphragm."""
    nerves = [to_grey(read_pixels(path)) for path in sorted((data / "us" / "usgra_train" / "images").glob("*.png"))]
    with np.load(data / "us" / "imfusion_liver_sweep" / "liver_sweep_decoded.npz") as liver:
        return {"usgra_train": nerves, "imfusion_liver_sweep": list(liver["frames"])}


def show_time(who: str, find: Finder, frames: np.ndarray) -> None:
    times = []
    for _ in range(RUNS):
        for frame in frames:
            start = time.perf_counter()
            find(frame)
            times.append(1e3 * (time.perf_counter() - start))
    rows, columns = frames.shape[1:]
    print(
        f"{who}: {np.median(times):.1f} ms a frame of {rows}x{columns} (median; 99 %: {np.percentile(times, 99):.1f})"
    )


def show_drawn(who: str, find: Finder, name: str, frames: list[np.ndarray]) -> None:
    drawn = sum(len(find(frame)[0]) > 0 for frame in frames)
    print(f"{who}, {name}: bone drawn in {drawn} of {len(frames)} frames", flush=True)


def draw(shown: list[tuple[np.ndarray, str]], path: Path) -> None:
    from navigation.pictures.colours import INK, PAPER
    from navigation.pictures.figures import empty_figure

    figure = empty_figure(2.4 * len(shown), 2.7, PAPER)
    for number, (frame, title) in enumerate(shown):
        axes = figure.add_axes((number / len(shown) + 0.005, 0.02, 1 / len(shown) - 0.01, 0.88))
        axes.imshow(frame[:480, 170:650], cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
        columns, rows = surface(frame)
        for piece in np.split(np.arange(len(columns)), np.flatnonzero(np.diff(columns) > 1) + 1):
            axes.plot(columns[piece] - 170, rows[piece], color="#d1495b", linewidth=1.3)
        axes.set_title(title, size=8, color=INK, pad=4)
        axes.set_axis_off()
    figure.savefig(path, facecolor=PAPER, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    main()
