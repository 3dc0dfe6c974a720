"""A tool's sphere layout from what a tracker saw of it: points in no order, some missing, some that are none of it.

One frame's points are the first layout. Each frame is laid over it by triangles of the same sides; what was seen of
each sphere is averaged, spheres that the first frame missed are added, and all is repeated (generalised Procrustes
analysis, Gower, Psychometrika 40(1), 1975).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.tool_geometry.confusion import laid_over
from calibration.tool_geometry.correspondence import Match, matches
from calibration.tool_geometry.errors import LayoutRefusedError
from geometry.points import Floats, as_points, read_only

_ROUNDS, _SETTLED_MM = 30, 1e-6
_STARTS = 3
# What is seen in fewer of the frames than this is no sphere of the tool: a reflection, another tool passing by.
_SEEN_SHARE = 0.3


@dataclass(frozen=True, kw_only=True)
class LayoutSettings:
    """What observations must bring before their layout is believed.

    Attributes:
        tolerance_mm: how far a point may lie from its sphere; three to four times the tracker's noise.
        minimum_frames: fewer matched frames than this are refused.
        maximum_residual_rms_mm: above this the spheres are not rigid to one another.
        maximum_error_rms_mm: a larger expected error of the least known sphere is refused.
        maximum_rejected_fraction: where more frames do not match, those that do are no majority.
        distinct_mm: RMS residual in another order that still counts as another order: in half as much, noise decides.
    """

    tolerance_mm: float = 1.0
    minimum_frames: int = 30
    maximum_residual_rms_mm: float = 0.5
    maximum_error_rms_mm: float = 0.25
    maximum_rejected_fraction: float = 0.5
    distinct_mm: float = 1.0


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the spheres of a tool are, and how well that is known.

    Attributes:
        spheres_tool_mm: ``(n, 3)``; origin at their centroid, axes along their principal directions, the longest first.
        covariances_mm2: of each sphere, ``(n, 3, 3)`` along the axes of the tool. They exclude what is common to all
            frames, such as an error of the tracker's scale.
        seen: in how many of the frames each sphere was seen, ``(n,)``.
        residual_rms_mm, residual_p95_mm: distances of the matched points from their spheres.
        n_used: frames that it was computed from.
        left_out: indices of the frames that do not match.
        farther_than_mm: than this the points of those lie from the spheres.
    """

    spheres_tool_mm: Floats
    covariances_mm2: Floats
    seen: tuple[int, ...]
    residual_rms_mm: float
    residual_p95_mm: float
    n_used: int
    left_out: tuple[int, ...]
    farther_than_mm: float

    def laid_over(self, design_mm: Floats, tolerance_mm: float) -> Layout:
        """The same layout in the frame and the order of a design ``(n, 3)``.

        Raises:
            LayoutRefusedError: it is another tool, or a mirror image.
            InvalidPointsError: a design that is none.
        """
        match = laid_over(self.spheres_tool_mm, design_mm, tolerance_mm)
        order = np.argsort(match.point_of)
        turned = self.covariances_mm2[order]
        return replace(
            self,
            spheres_tool_mm=read_only(self.spheres_tool_mm[order] @ match.rotation.T + match.translation_mm),
            covariances_mm2=read_only(match.rotation @ turned @ match.rotation.T),
            seen=tuple(self.seen[at] for at in order),
        )

    @property
    def expected_error_rms_mm(self) -> float:
        """Of the sphere that is known least."""
        return float(np.sqrt(np.trace(self.covariances_mm2, axis1=1, axis2=2).max()))


def solve_layout(frames_mm: Sequence[Floats], settings: LayoutSettings | None = None) -> Layout:
    """Finds the layout from the points of each frame, ``(k, 3)`` in mm, in any order.

    Raises:
        LayoutRefusedError: too few frames, or no layout that most of them share; spheres that move; distances so alike
            that their order cannot be told; spheres that are not known well enough.
        InvalidPointsError: points that are none.
    """
    settings = settings or LayoutSettings()
    frames = [as_points(frame, "points of a frame") if len(frame) else np.empty((0, 3)) for frame in frames_mm]
    usable = [frame for frame in frames if len(frame) >= 3]
    if len(usable) < settings.minimum_frames:
        raise LayoutRefusedError(
            f"{len(usable)} frames with three points or more, of {len(frames)}",
            f"at least {settings.minimum_frames}",
            "turn the tool slowly before the tracker, so that all of its spheres are seen at some time",
        )
    spheres_mm = _best_start(usable, settings)
    found = [_matched(spheres_mm, frame, settings.tolerance_mm) for frame in frames]
    for _ in range(_ROUNDS):
        before, (spheres_mm, are_the_same) = spheres_mm, _averaged(spheres_mm, frames, found, settings)
        if not are_the_same:
            found = [_matched(spheres_mm, frame, settings.tolerance_mm) for frame in frames]
        elif np.abs(before - spheres_mm).max() < _SETTLED_MM:
            break
        else:
            found = [match and match.anew(spheres_mm, frame) for match, frame in zip(found, frames, strict=True)]
    spheres_mm = _in_own_axes(spheres_mm)
    found = [_matched(spheres_mm, frame, settings.tolerance_mm) for frame in frames]
    _check_share(found, frames, settings)
    _check_order(spheres_mm, settings)
    layout = _layout(spheres_mm, frames, found, settings.tolerance_mm)
    _check_known(layout, settings)
    return layout


def _matched(spheres_mm: Floats, frame: Floats, tolerance_mm: float) -> Match | None:
    found = matches(spheres_mm, frame, tolerance_mm)
    return found[0] if found else None


def _best_start(frames: list[Floats], settings: LayoutSettings) -> Floats:
    """The points of a frame that others agree with most; of frames with the median number of points."""
    counts = np.array([len(frame) for frame in frames])
    full = np.flatnonzero(counts == np.sort(counts)[len(counts) // 2])
    starts = full[np.unique(np.linspace(0, len(full) - 1, _STARTS).astype(int))]
    others = frames[:: max(1, len(frames) // 20)]

    def agreement(start: int) -> int:
        found = [_matched(frames[start], other, settings.tolerance_mm) for other in others]
        return sum(each.count for each in found if each)

    return frames[max(starts, key=agreement)]


def _averaged(
    spheres_mm: Floats, frames: list[Floats], found: list[Match | None], settings: LayoutSettings
) -> tuple[Floats, bool]:
    """The mean of what was seen of each sphere; with what many frames saw beside them, without what few saw.

    And whether these are the spheres that they were, none added and none left out.
    """
    total, seen = np.zeros_like(spheres_mm), np.zeros(len(spheres_mm))
    beside = []
    for frame, match in zip(frames, found, strict=True):
        if match is None:
            continue
        back, is_seen = match.back(frame), match.point_of >= 0
        total[is_seen] += back[match.point_of[is_seen]]
        seen[is_seen] += 1
        beside.append(np.delete(back, match.point_of[is_seen], axis=0))
    needed = _SEEN_SHARE * max(1, len(beside))
    kept = seen >= needed
    if kept.sum() < 3:
        return spheres_mm, True
    grown = total[kept] / seen[kept, None]
    strays = np.concatenate(beside)
    while len(strays) >= needed:
        near = np.linalg.norm(strays[:, None] - strays[None, :200], axis=2) < settings.tolerance_mm
        best = near[:, int(near.sum(axis=0).argmax())]
        if best.sum() < needed:
            break
        grown = np.vstack([grown, strays[best].mean(axis=0)])
        strays = strays[~best]
    return grown, bool(kept.all()) and len(grown) == len(spheres_mm)


def _in_own_axes(spheres_mm: Floats) -> Floats:
    """The layout about its centroid, right-handed along its principal directions, the farthest sphere at positive x."""
    centred = spheres_mm - spheres_mm.mean(axis=0)
    axes = np.linalg.svd(centred)[2]
    along = centred @ axes[:2].T
    axes[:2] *= np.where(along[np.abs(along).argmax(axis=0), [0, 1]] < 0.0, -1.0, 1.0)[:, None]
    axes[2] = np.cross(axes[0], axes[1])
    turned = centred @ axes.T
    return np.asarray(turned[np.argsort(turned[:, 0])])


def _layout(spheres_mm: Floats, frames: list[Floats], found: list[Match | None], tolerance_mm: float) -> Layout:
    """The result: each sphere's covariance from the scatter of what was seen of it.

    Every frame is laid over the layout first, which takes 6 of its 3 k numbers away from the scatter.
    """
    errors: list[list[Floats]] = [[] for _ in spheres_mm]
    freedom, numbers = 0, 0
    for frame, match in zip(frames, found, strict=True):
        if match is None:
            continue
        back = match.back(frame)
        for sphere in np.flatnonzero(match.point_of >= 0):
            errors[sphere].append(back[match.point_of[sphere]] - spheres_mm[sphere])
        numbers, freedom = numbers + 3 * match.count, freedom + 3 * match.count - 6
    lengths = np.linalg.norm(np.concatenate([np.array(each) for each in errors]), axis=1)
    spread = np.stack(
        [np.array(each).T @ np.array(each) / len(each) ** 2 * _repeated(np.array(each)) for each in errors]
    )
    return Layout(
        spheres_tool_mm=read_only(spheres_mm),
        covariances_mm2=read_only(spread * (numbers / max(freedom, 1))),
        seen=tuple(len(each) for each in errors),
        residual_rms_mm=float(np.sqrt(np.mean(lengths**2))),
        residual_p95_mm=float(np.percentile(lengths, 95.0)),
        n_used=sum(match is not None for match in found),
        left_out=tuple(at for at, match in enumerate(found) if match is None),
        farther_than_mm=tolerance_mm,
    )


def _repeated(errors: Floats) -> float:
    """How many times less a sample counts because it repeats the one before: ``(1 + r) / (1 - r)``."""
    power = max(float(np.sum(errors**2)), 1e-30)
    correlation = float(np.clip(np.sum(errors[1:] * errors[:-1]) / power, 0.0, 0.99))
    return (1.0 + correlation) / (1.0 - correlation)


def _check_share(found: list[Match | None], frames: list[Floats], settings: LayoutSettings) -> None:
    used = sum(match is not None for match in found)
    if used < settings.minimum_frames or used < (1.0 - settings.maximum_rejected_fraction) * len(frames):
        raise LayoutRefusedError(
            f"{len(frames) - used} of {len(frames)} frames whose points do not lie as in the others",
            f"at most {settings.maximum_rejected_fraction:.0%} of them, and {settings.minimum_frames} or more that do",
            "show this tool alone, cover what shines, and check that its spheres are clean and firm",
        )


def _check_order(spheres_mm: Floats, settings: LayoutSettings) -> None:
    own = np.arange(len(spheres_mm))
    for match in matches(spheres_mm, spheres_mm, settings.distinct_mm):
        if match.count < len(own) or np.array_equal(match.point_of, own) or match.rms_mm > settings.distinct_mm / 2.0:
            continue
        moved = np.flatnonzero(match.point_of != own)
        one, other = moved[0], match.point_of[moved[0]]
        rest = next(at for at in own if at not in (one, match.point_of[one]))
        sides = (
            float(np.linalg.norm(spheres_mm[one] - spheres_mm[rest])),
            float(np.linalg.norm(spheres_mm[other] - spheres_mm[match.point_of[rest]])),
        )
        raise LayoutRefusedError(
            f"spheres that also fit in another order, to {match.rms_mm:.2f} mm RMS: {sides[0]:.2f} mm between spheres "
            f"{one + 1} and {rest + 1} is too like the {sides[1]:.2f} mm between {other + 1} and "
            f"{match.point_of[rest] + 1}",
            f"more than {settings.distinct_mm / 2.0:g} mm in every other order",
            "move a sphere of the tool by some millimetres, so that all distances differ",
        )


def _check_known(layout: Layout, settings: LayoutSettings) -> None:
    if layout.residual_rms_mm > settings.maximum_residual_rms_mm:
        raise LayoutRefusedError(
            f"a residual of {layout.residual_rms_mm:.2f} mm RMS",
            f"at most {settings.maximum_residual_rms_mm:g} mm",
            "check that the spheres are firm and clean, and that the tracker is warm",
        )
    if layout.expected_error_rms_mm > settings.maximum_error_rms_mm:
        raise LayoutRefusedError(
            f"a sphere known to {layout.expected_error_rms_mm:.2f} mm RMS only, seen in {min(layout.seen)} frames",
            f"at most {settings.maximum_error_rms_mm:g} mm",
            "show the tool for longer, from all sides from which its spheres are seen",
        )
