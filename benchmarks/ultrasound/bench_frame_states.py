"""How often the judge of ultrasound frames is right: frames of kinds that are known, and what it calls them.

    python benchmarks/ultrasound/bench_frame_states.py DATA

DATA is the folder that holds us/, tracking/ and ct/. The statistics of familiar frames are those that ship with the
networks; they were made without the held-out frames. Each frame is judged by itself, as a still. Kinds marked * helped
to choose the descriptor's numbers, on the same frames; the others did not.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle, pairwise, product
from pathlib import Path

import numpy as np

from reconstruction.network.weights import DEFAULT_WEIGHTS
from reconstruction.training.images.familiarity import with_gain, zoomed
from reconstruction.training.images.files import read_pixels, to_grey
from reconstruction.training.images.split import read_split
from reconstruction.ultrasound.frame_familiarity import SUFFIX, Familiarity, load_familiarity
from reconstruction.ultrasound.frame_state import FrameJudge, FrameState
from tests.reconstruction.ultrasound import other_pictures
from tests.reconstruction.ultrasound.made_states import Air, lifted, lifted_convex
from tests.reconstruction.ultrasound.recordings import liver, plus_names, plus_sequence

SPLIT = Path(__file__).resolve().parents[2] / "reconstruction" / "training" / "images" / "usgra_split.csv"
ZOOMS = (0.5, 0.67, 0.8, 0.9, 1.1, 1.25, 1.5, 2.0)
TISSUE = ("PLUS, Bone", "PLUS, Spine", "liver")
SOFT_TISSUE_HU = (-160.0, 240.0)
Frames = list[np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    familiarity = load_familiarity((DEFAULT_WEIGHTS.parent / "ultrasound_nerve_vessel").with_suffix(SUFFIX))
    held_out = nerve_frames(data, "held_out")
    print(f"{'kind':44} frames  usable  called")
    for kind, frames in kinds(data, held_out):
        show(kind, frames, familiarity)
    show_depths(data)
    show_time(held_out, familiarity)


def show(kind: str, frames: Frames, familiarity: Familiarity) -> None:
    called = Counter(FrameJudge(familiarity).judge(frame, None).state for frame in frames)
    others = ", ".join(f"{state} {n / len(frames):.1%}" for state, n in called.most_common() if state != "usable")
    print(f"{kind:44} {len(frames):6}  {called[FrameState.USABLE] / len(frames):6.1%}  {others}", flush=True)


def show_time(frames: Frames, familiarity: Familiarity) -> None:
    """Of frames that follow one another as live ones do, and of frames that have nothing to do with one another."""
    import cv2

    cv2.setNumThreads(1)
    alike = [frame for frame in frames if frame.shape == (512, 534)]
    rng = np.random.default_rng(0)
    live = [np.clip(np.roll(alike[0], n, 1) + rng.normal(0, 3, (512, 534)), 0, 255).astype(np.uint8) for n in range(20)]
    for kind, those in (("like the one before", live), ("unlike the one before", alike)):
        judge, spent = FrameJudge(familiarity), []
        for number in range(400):
            frame = those[number % len(those)]
            begun = time.thread_time()
            judge.judge(frame, number * 40_000_000)
            spent.append(1e3 * (time.thread_time() - begun))
        middle, most = np.percentile(spent, (50, 99))
        print(f"one thread, a frame of 512x534 {kind}: median {middle:.1f} ms, p99 {most:.1f} ms")


def kinds(data: Path, held_out: Frames) -> Iterator[tuple[str, Frames]]:
    """Frames by kind: what should be usable first."""
    rng = np.random.default_rng(0)

    def each(change: Callable[[np.ndarray], np.ndarray]) -> Frames:
        return [np.ascontiguousarray(change(frame)) for frame in held_out]

    yield "nerves, trained on", nerve_frames(data, "training")
    yield "nerves, held out", held_out
    for gain in (0.7, 0.85, 1.2, 1.4):
        yield f"nerves, held out, gain {gain}", each(lambda frame, gain=gain: with_gain(frame, gain))
    for zoom in (0.67, 0.8, 1.25, 1.5):
        yield f"nerves, held out, depth zoomed by {zoom}", each(lambda frame, zoom=zoom: zoomed(frame, zoom))
    for quality in (90, 50):
        yield f"nerves, held out, JPEG {quality}", each(lambda frame, quality=quality: jpeg(frame, quality))
    for share in (1.0, 0.8, 0.6, 0.4, 0.2):
        yield f"lifted, {share:.0%} of the columns in air", air_frames(held_out, share)
    yield "lifted, convex probe", [lifted_convex(air, number) for number, air in enumerate(airs(1.0))]
    yield "lifted, recorded air over all columns", recorded_air(data)
    yield "black", [np.zeros((512, 534), np.uint8)]
    yield "photographs", other_pictures.photographs()
    yield "CT", ct_slices(data)
    yield "noise", other_pictures.noise(rng)
    yield "test patterns", other_pictures.patterns()
    yield "a scanner's menu", [other_pictures.menu((512, 534), rng) for _ in range(20)]
    yield "a menu over the frame *", each(lambda frame: other_pictures.with_menu(frame, rng))
    yield "colour Doppler in grey *", each(lambda frame: other_pictures.with_colour_doppler(frame, rng))
    yield "upside down *", each(lambda frame: frame[::-1])
    yield "a quarter turned", each(np.rot90)
    yield "inverted", each(lambda frame: 255 - frame)
    yield "blurred", each(blurred)
    yield from recordings(data)


def nerve_frames(data: Path, part: str) -> Frames:
    images = data / "us" / "usgra_train" / "images"
    names = [name for name, its in read_split(SPLIT).items() if its == part]
    return [to_grey(read_pixels(images / f"{name}.png")).astype(np.uint8) for name in names]


def airs(share: float) -> list[Air]:
    """Echoes closer or farther, weaker or stronger, quiet or noisy below."""
    return [Air(*values, share) for values in product((0.015, 0.03, 0.06, 0.1), (0.4, 0.7), (0.0, 15.0, 40.0))]


def air_frames(frames: Frames, share: float) -> Frames:
    """Each frame three times, with one kind of air after the other."""
    kinds_of_air = cycle(airs(share))
    return [lifted(frame, next(kinds_of_air), number) for number, frame in enumerate(frames * 3)]


def recorded_air(data: Path) -> Frames:
    """The columns in air of frames whose edge is in air, drawn wide. Frame and columns were marked by eye."""
    import cv2

    images = data / "us" / "usgra_train" / "images"
    marked = {"0070": (420, 660), "0126": (45, 180), "0081": (0, 140), "0123": (0, 90), "0218": (0, 60)}
    frames = [(to_grey(read_pixels(images / f"{name}.png")).astype(np.uint8), at) for name, at in marked.items()]
    return [cv2.resize(frame[:, left:right], (534, 512)).astype(np.uint8) for frame, (left, right) in frames]


def jpeg(frame: np.ndarray, quality: int) -> np.ndarray:
    import cv2

    return cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)


def blurred(frame: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(frame, 8)


def ct_slices(data: Path) -> Frames:
    import SimpleITK as sitk

    volume = sitk.GetArrayFromImage(
        sitk.ReadImage(str(data / "ct" / "totalseg_example" / "totalseg_example_ct_3mm.nii.gz"))
    )
    low, high = SOFT_TISSUE_HU
    grey = np.clip((volume - low) / (high - low) * 255, 0, 255).astype(np.uint8)[::-1]
    return [grey[i] for i in range(5, len(grey) - 5, 5)] + [grey[:, i] for i in range(20, grey.shape[1] - 20, 5)]


def recordings(data: Path) -> Iterator[tuple[str, Frames]]:
    """Every frame of other probes and other organs; most of PLUS's show wires or a plate in water."""
    for name in plus_names(data):
        yield f"PLUS, {name[:32]}", plus_sequence(data, name)
    yield "liver, convex probe", liver(data)


def show_depths(data: Path) -> None:
    """False alarms on recordings as they are, and changes seen at once; the judge has no statistics here."""
    print(f"\n{'recording':40} calls a depth changed that is not, of every frame, every 2nd, every 4th")
    for kind, frames in recordings(data):
        false = [depths_called(frames[::every]).count(True) for every in (1, 2, 4)]
        counts = [len(frames[::every]) for every in (1, 2, 4)]
        print(f"{kind:40} {', '.join(f'{n} of {count}' for n, count in zip(false, counts, strict=True))}", flush=True)
    print(f"{'recording':40} sees a depth changed from one frame to the next, by zoom {ZOOMS}")
    for kind, frames in recordings(data):
        if kind.startswith(TISSUE):
            print(f"{kind:40} {', '.join(f'{changes_seen(frames, zoom):.0%}' for zoom in ZOOMS)}", flush=True)


def depths_called(frames: Frames) -> list[bool]:
    """Which frames of a run 40 ms apart are called changed in depth."""
    judge = FrameJudge(None)
    return [
        judge.judge(frame, number * 40_000_000).state is FrameState.DEPTH_CHANGED for number, frame in enumerate(frames)
    ]


def changes_seen(frames: Frames, zoom: float) -> float:
    """Share of the neighbours between which a change of depth is seen: the second of each is zoomed."""
    pairs = list(pairwise(frames))
    return sum(depths_called([before, zoomed(now, zoom)])[1] for before, now in pairs) / len(pairs)


if __name__ == "__main__":
    main()
