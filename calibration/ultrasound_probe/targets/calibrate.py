"""Spatial calibration of an ultrasound probe from a stylus tip, from crossed wires, or from a wall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from calibration.ultrasound_probe.errors import ProbeInputError, ProbeRefusedError
from calibration.ultrasound_probe.flips import said_orientation
from calibration.ultrasound_probe.image_map import ImageToProbe
from calibration.ultrasound_probe.result import ProbeCalibration, ProbeOutlier
from calibration.ultrasound_probe.samples import ProbeSample, check_samples
from calibration.ultrasound_probe.targets.design import design_of_points, design_of_wall
from calibration.ultrasound_probe.targets.judging import (
    ProbeImage,
    TargetSettings,
    fit_refused,
    flips_refused,
    said_and_refused_spacings,
    said_extent,
    said_sizes,
    said_turns,
)
from calibration.ultrasound_probe.targets.motions import DEEP, SIDEWAYS, Design, repaired, turned_deg
from calibration.ultrasound_probe.targets.point_model import PointModel, start_of_known, start_of_unknown
from calibration.ultrasound_probe.targets.robust_fit import Fit, fit_robustly
from calibration.ultrasound_probe.targets.wall_model import WallModel, start_of_wall
from geometry.points import Floats

Method = Literal["stylus", "cross", "wall"]
STYLUS: Method = "stylus"
CROSS: Method = "cross"
WALL: Method = "wall"
# In words, with their papers, for results.
METHODS: dict[Method, str] = {
    STYLUS: "tip of a tracked stylus in the image, robust least squares in the image",
    CROSS: "one point at rest (Detmer, UMB 20(9), 1994; Prager, UMB 24(6), 1998), robust least squares in the image",
    WALL: "a wall at rest (Prager, UMB 24(6), 1998), robust least squares in the image",
}


def calibrate_from_target(
    method: Method,
    samples: Sequence[ProbeSample],
    image: ProbeImage,
    *,
    tips_fixed_mm: Floats | None = None,
    settings: TargetSettings | None = None,
) -> ProbeCalibration:
    """Calibrates from images of a target.

    Args:
        method: ``stylus``, the tip of a tracked stylus; ``cross``, one point that stands still: crossed wires, a bead;
            ``wall``, a plane that stands still: a membrane, or the bottom of a water tank.
        samples: one point each, the target's echo, or two far apart on the wall's line; in the order of time.
        image: what is stated of the images.
        tips_fixed_mm: for ``stylus`` alone: the tip at the samples' times, in the frame that their poses lead to,
            ``(n, 3)``.
        settings: limits.

    Raises:
        ProbeInputError: samples without exactly these points, or tips of another shape.
        ProbeRefusedError: too few images, a part of the image in which a point was never seen, or motions that leave
            the calibration open, which are named.
    """
    settings = settings or TargetSettings()
    if method == WALL:
        return _from_wall(samples, image, settings)
    points, poses = _points_each(samples, 1, "the target's echo", settings)
    pixels = points[:, 0]
    tips_mm = _tips(tips_fixed_mm, len(pixels)) if method == STYLUS else None
    rng = np.random.default_rng(0)
    if tips_mm is None:
        start = start_of_unknown(pixels, poses, rng)
    else:
        in_probe = np.einsum("nji,nj->ni", poses[:, :3, :3], tips_mm - poses[:, :3, 3])
        start = start_of_known(pixels, in_probe, rng)
    spacing_mm = _nominal(start, image)
    model = PointModel(pixels, poses, tips_mm, spacing_mm)
    fit = _fit(model, start, samples, settings)
    design = design_of_points(fit, pixels, poses, tips_mm, spacing_mm, image, settings)
    return _judged(method, fit, model.scale, design, samples, image, settings)


def _from_wall(samples: Sequence[ProbeSample], image: ProbeImage, settings: TargetSettings) -> ProbeCalibration:
    lines, poses = _points_each(samples, 2, "two ends of the wall's line", settings)
    spacing_mm = float(np.mean(image.stated_spacing_mm)) if image.stated_spacing_mm else 0.1
    start = start_of_wall(lines, poses, spacing_mm, np.random.default_rng(0))
    if image.stated_spacing_mm is None:
        spacing_mm = float(np.mean(_nominal(start, image)))
    model = WallModel(lines, poses, spacing_mm)
    fit = _fit(model, start, samples, settings)
    design = design_of_wall(fit, lines, poses, spacing_mm, image, settings)
    return _judged(WALL, fit, model.scale, design, samples, image, settings)


def _tips(tips_fixed_mm: Floats | None, count: int) -> Floats:
    tips = np.array([] if tips_fixed_mm is None else tips_fixed_mm, np.float64)
    if tips.shape != (count, 3) or not np.isfinite(tips).all():
        raise ProbeInputError(
            f"tips of shape {tips.shape} for {count} images, or some that are not finite",
            "one tip (x, y, z) in mm for each image",
            "leave out images at whose time the stylus was not seen",
        )
    return tips


def _points_each(
    samples: Sequence[ProbeSample], count: int, what: str, settings: TargetSettings
) -> tuple[Floats, Floats]:
    """Image points ``(n, count, 2)`` and poses ``(n, 4, 4)``, checked."""
    check_samples(samples, settings.minimum_images)
    for sample in samples:
        if len(sample.points_px) != count:
            came = f"{len(sample.points_px)} points in image {sample.index}"
            raise ProbeInputError(came, f"{what}, {count} in each image", "leave out images in which they are not seen")
    return np.stack([sample.points_px for sample in samples]), np.stack([one.T_fixed_probe.matrix for one in samples])


def _nominal(start: Floats, image: ProbeImage) -> Floats:
    """Spacings ``(2,)`` that turn pixels into mm in the residuals: those stated, or those of the start."""
    if image.stated_spacing_mm is not None:
        return np.array(image.stated_spacing_mm, np.float64)
    columns = repaired(start[:9].reshape(3, 3).T)
    return np.array(np.linalg.norm(columns[:, :2], axis=0))


def _fit(model: PointModel | WallModel, start: Floats, samples: Sequence[ProbeSample], settings: TargetSettings) -> Fit:
    fit = fit_robustly(model, start)
    if int(fit.used.sum()) < settings.minimum_images:
        raise ProbeRefusedError(
            f"{int((~fit.used).sum())} of {len(samples)} images that do not agree with one calibration",
            f"{settings.minimum_images} or more that do",
            "check that the target stood still and how it is found in the images, and record again",
        )
    return fit


def _judged(
    method: Method,
    fit: Fit,
    scale: Floats,
    design: Design,
    samples: Sequence[ProbeSample],
    image: ProbeImage,
    settings: TargetSettings,
) -> ProbeCalibration:
    """The result, with all that is said about it.

    Raises:
        ProbeRefusedError: motions that leave it open.
    """
    if method != WALL:
        _check_extent(design, settings)
    _check_motion(design, settings)
    steps = fit.step_covariance[:9, :9] * np.outer(scale[:9], scale[:9])
    columns = fit.state[:9].reshape(3, 3).T
    image_map = ImageToProbe(columns, 0.5 * (steps + steps.T), samples[0].T_fixed_probe.from_frame)
    norms = np.linalg.norm(fit.residuals_mm, axis=1)
    outliers = tuple(
        ProbeOutlier(samples[k].index, samples[k].time_s, "", float(norms[k]))
        for k in np.flatnonzero(~fit.used).tolist()
    )
    rms = float(np.sqrt(np.mean(norms[fit.used] ** 2)))
    spacings, reasons = said_and_refused_spacings(image_map, image, settings.maximum_depth_error_mm)
    reasons = [*fit_refused(rms, len(outliers), len(samples), settings), *flips_refused(image_map, image), *reasons]
    what = "the wall" if method == WALL else "the target"
    coverage = [
        said_extent(design.views.pixels, image.size_px, what),
        said_turns(turned_deg(design.views.rotations, columns)),
    ]
    return ProbeCalibration(
        image_map=image_map,
        method=method,
        image_size_px=image.size_px,
        residuals_mm=norms[fit.used],
        outliers=outliers,
        n_images=int(fit.used.sum()),
        orientation=(*said_orientation(image_map, image.axes), said_sizes(image_map), *spacings),
        coverage=tuple(coverage),
        reasons=tuple(reasons),
    )


def _check_extent(design: Design, settings: TargetSettings) -> None:
    """Refuses points of a small part of the image: their own noise would pass for an extent, and gives any spacing."""
    shares = np.ptp(np.percentile(design.views.pixels, [5.0, 95.0], axis=0), axis=0) / design.size_px
    motions = [
        motion.words for motion, share in zip((SIDEWAYS, DEEP), shares, strict=True) if share < settings.minimum_extent
    ]
    if motions:
        raise ProbeRefusedError(
            f"a target that was seen over {shares[0]:.0%} of the image's width and {shares[1]:.0%} of its height, "
            "which leaves its spacings open",
            f"at least {settings.minimum_extent:.0%} of each",
            f"go on, and {'; then '.join(motions)}",
        )


def _check_motion(design: Design, settings: TargetSettings) -> None:
    limit_mm = settings.maximum_corner_error_mm
    error_mm = design.corner_error_mm()
    if error_mm <= limit_mm:
        return
    unknown = design.open_parameters(limit_mm) or ("no parameter by itself, but the image's corners",)
    how_much = f"{error_mm:.1f} mm" if error_mm < 100.0 else "10 cm and more"
    raise ProbeRefusedError(
        f"a recording that leaves open {', '.join(unknown)}: {how_much} at the image's worst corner",
        f"at most {limit_mm:g} mm",
        f"go on, and {'; then '.join(design.missing(limit_mm))}",
    )
