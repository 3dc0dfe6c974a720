"""Bone marked by hand in recorded frames, and how far a found surface lies from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

FEMUR, SPINE = "BoneUltrasound_L14", "SpinePhantomFreehand"
# A found point further than this from every marked piece is false; a marked point with bone within it is a hit.
REACH_PX = 15.0
# PlusToolkit's configurations of these recordings; the recordings themselves state no pixel size. Rows, mm a pixel.
PIXEL_MM = {FEMUR: 0.085, SPINE: 0.079}
Columns, Rows = np.ndarray, np.ndarray


@dataclass(frozen=True, eq=False)
class Piece:
    """One marked piece of one frame: points ``(n, 2)``, column and row, left to right."""

    recording: str
    frame: int
    sure: bool
    points: np.ndarray

    def apart(self, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Distance of points to the piece, ``(n,)`` in pixels, ends included."""
        here = np.stack([columns, rows], axis=1).astype(float)[:, None]
        start, end = self.points[:-1], self.points[1:]
        along = end - start
        share = np.clip(((here - start) * along).sum(axis=2) / (along**2).sum(axis=1), 0.0, 1.0)
        return np.linalg.norm(start + share[..., None] * along - here, axis=2).min(axis=1)


@dataclass
class BoneScore:
    """A finder on one recording's marked frames.

    Attributes:
        apart_px: vertical distance at each marked point whose column has bone, however far.
        marked: how many points are marked.
        found: columns with bone in all marked frames together.
        false: those further than `REACH_PX` from every marked piece, doubtful ones included.
        frames: how many are marked.
    """

    apart_px: list[float] = field(default_factory=list)
    marked: int = 0
    found: int = 0
    false: int = 0
    frames: int = 0

    @property
    def hits(self) -> int:
        """Marked points with bone within `REACH_PX`."""
        return sum(apart <= REACH_PX for apart in self.apart_px)

    def line(self, name: str) -> str:
        """For a person."""
        apart, mm = np.array(self.apart_px or [np.nan]), PIXEL_MM[name]
        return (
            f"{name}: of {self.marked} marked points {len(self.apart_px)} have bone in their column, "
            f"{self.hits} within {REACH_PX:.0f} px; median {np.median(apart):.1f} px ({np.median(apart) * mm:.2f} mm), "
            f"worst {apart.max():.1f} px; {self.false} of {self.found} columns false, "
            f"{self.false / max(1, self.frames):.0f} a frame"
        )


def read_marks(recording: str) -> dict[int, list[Piece]]:
    """Frame to its marked pieces."""
    marks: dict[int, list[Piece]] = {}
    for line in Path(__file__).with_suffix(".csv").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, frame, _, visibility, text = line.split(",")
        points = np.array(text.split(), float).reshape(-1, 2)
        if name == recording:
            marks.setdefault(int(frame), []).append(Piece(name, int(frame), visibility == "sure", points))
    return marks


def score_bone(recording: str, frames: np.ndarray, find: Callable[[np.ndarray], tuple[Columns, Rows]]) -> BoneScore:
    """Runs a finder on the marked frames of a recording ``(n, rows, columns)``."""
    score = BoneScore()
    for number, pieces in read_marks(recording).items():
        columns, rows = find(frames[number])
        score.frames += 1
        score.found += len(columns)
        if len(columns):
            score.false += int((np.min([piece.apart(columns, rows) for piece in pieces], axis=0) > REACH_PX).sum())
        for column, row in np.concatenate([piece.points for piece in pieces if piece.sure]):
            score.marked += 1
            near = np.abs(rows[columns == column] - row)
            if len(near):
                score.apart_px.append(float(near.min()))
    return score


def read_frames(shared_data: Path, recording: str) -> np.ndarray:
    """The recording's frames ``(n, rows, columns)``, the transducer at row 0."""
    import SimpleITK as sitk

    path = shared_data / "tracking" / "pluslib" / "TestImages" / f"{recording}.igs.mha"
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
