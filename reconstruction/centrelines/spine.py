"""The spine's curve through its vertebral bodies, with a frame at each point, from one label per vertebra.

A body is the thickest part of a vertebra: its core is where the distance from the surface is above 60 % of the largest,
and its centre the core's mean. Arches and processes are thin, and stay out of it; but they say where behind is. The
curve is the natural cubic spline through the centres: between two vertebrae it is an interpolation, not a measurement.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import distance_transform_edt, find_objects

from geometry.errors import InvalidVolumeError
from geometry.points import Bools, Floats, read_only
from geometry.volume import Volume
from reconstruction.centrelines.field import NoCentrelineError

_CORE = 0.6
_LEVELS = ("C", "T", "L", "S")  # from the head down


@dataclass(frozen=True, eq=False)
class SpineCentreline:
    """From the highest to the lowest whole vertebra.

    Attributes:
        names: names of the vertebrae, such as ``L3``, from the head down.
        body_centres_ct_mm: ``(m, 3)`` in the frame ``ct``, one centre per vertebra.
        points_ct_mm: ``(n, 3)`` the curve, evenly spaced to 1 %, the first and last body centre included.
        axes: ``(n, 3, 3)`` right-handed rotations whose columns are the patient's left, back and up there (near LPS):
            up is along the curve, back away from the bodies towards the arches.
        left_out: names that were given but cut by the scan's edge or empty, with the reason.
        frame: the frame of all points.
    """

    names: tuple[str, ...]
    body_centres_ct_mm: Floats
    points_ct_mm: Floats
    axes: Floats
    left_out: Mapping[str, str]
    frame: str

    @property
    def length_mm(self) -> float:
        return float(np.linalg.norm(np.diff(self.points_ct_mm, axis=0), axis=1).sum())


def spine_centreline(labels: Volume, vertebrae: Mapping[int, str], step_mm: float = 1.0) -> SpineCentreline:
    """Finds the spine's curve.

    Args:
        labels: integers, one for each vertebra; any spacing and orientation.
        vertebrae: label -> name: ``C1`` to ``C7``, ``T1`` to ``T13``, ``L1`` to ``L6``, ``S1``;
            TotalSegmentator's ``vertebrae_L3`` will do.
        step_mm: distance between the curve's points.

    Raises:
        InvalidVolumeError: labels that are no integers, or a name that is no vertebra or given twice.
        NoCentrelineError: fewer than two whole vertebrae.
    """
    voxels = np.asarray(labels.voxels)
    if voxels.dtype.kind not in "iu":
        raise InvalidVolumeError(f"labels of type {voxels.dtype}", "integers", "pass the label volume itself")
    found, left_out = [], {}
    for name, label in _from_the_head(vertebrae):
        centre, behind, problem = _body(labels, voxels == label)
        if problem:
            left_out[name] = problem
        else:
            found.append((name, centre, behind))
    if len(found) < 2:
        raise NoCentrelineError(f"{len(found)} whole vertebrae", "two or more", "choose a longer scan, or other labels")
    centres = np.array([centre for _, centre, _ in found])
    points, axes = _curve(centres, np.array([behind for _, _, behind in found]), step_mm)
    names = tuple(name for name, _, _ in found)
    return SpineCentreline(
        names, read_only(centres), read_only(points), read_only(axes), MappingProxyType(left_out), labels.frame
    )


def _from_the_head(vertebrae: Mapping[int, str]) -> list[tuple[str, int]]:
    found: dict[str, tuple[int, int, int]] = {}
    for label, name in vertebrae.items():
        match = re.fullmatch(r"(?:vertebrae_)?([CTLS])(\d{1,2})", name)
        short = f"{match[1]}{int(match[2])}" if match else ""
        if match is None or short in found:
            raise InvalidVolumeError(
                f"the name '{name}'",
                "the name of a vertebra, such as L3, each once",
                "pass the vertebrae's labels only",
            )
        found[short] = (_LEVELS.index(match[1]), int(match[2]), label)
    return [(name, found[name][2]) for name in sorted(found, key=lambda name: found[name])]


def _body(labels: Volume, vertebra: Bools) -> tuple[Floats, Floats, str]:
    """Centre of the body and the way from there to the vertebra's centre, or why there is none."""
    nothing = np.zeros(3)
    if not vertebra.any():
        return nothing, nothing, "not in the volume"
    box = find_objects(vertebra.astype(np.uint8))[0]
    if any(b.start == 0 or b.stop == size for b, size in zip(box, vertebra.shape, strict=True)):
        return nothing, nothing, "cut by the edge of the scan"
    inside = np.pad(vertebra[box], 1)
    depth = distance_transform_edt(inside, sampling=labels.spacing_mm[::-1])
    first = np.array([b.start for b in box]) - 1
    core, whole = (
        labels.index_to_mm((np.argwhere(part) + first)[:, ::-1]).mean(axis=0)
        for part in (depth >= _CORE * depth.max(), inside)
    )
    return core, whole - core, ""


def _curve(centres_mm: Floats, behind: Floats, step_mm: float) -> tuple[Floats, Floats]:
    chord = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(centres_mm, axis=0), axis=1))])
    spline = CubicSpline(chord, centres_mm, bc_type="natural")
    fine = np.linspace(0.0, chord[-1], max(int(chord[-1] / step_mm) * 10, 20))
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(spline(fine), axis=0), axis=1))])
    at = np.interp(np.linspace(0.0, way[-1], max(round(way[-1] / step_mm), 1) + 1), way, fine)
    up = -spline(at, 1)
    up /= np.linalg.norm(up, axis=1)[:, None]
    towards_arch = np.stack([np.interp(at, chord, behind[:, axis]) for axis in range(3)], axis=1)
    left = np.cross(towards_arch, up)
    left /= np.maximum(np.linalg.norm(left, axis=1), 1e-9)[:, None]
    return np.asarray(spline(at)), np.stack([left, np.cross(up, left), up], axis=2)
