"""Spatial calibration of an ultrasound probe from the wires of an N-wire phantom.

A closed form first: the middle wire of each N lies in the phantom where the image's ratio of distances says (Chen,
Thurston, McVeigh, Ellis, "A real-time freehand 3D ultrasound calibration system", Ultrasound in Medicine and Biology
35(7), 2009). Then all wires, the parallel ones too: each crosses the plane of the image somewhere, and the distance in
the image between there and where it was seen is made least. Points that fit nowhere are found by robust weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.ultrasound_probe.errors import ProbeInputError, ProbeRefusedError
from calibration.ultrasound_probe.flips import ProbeAxes, said_orientation
from calibration.ultrasound_probe.image_map import ImageToProbe
from calibration.ultrasound_probe.motion import ProbeMotion
from calibration.ultrasound_probe.result import ProbeCalibration, ProbeOutlier
from calibration.ultrasound_probe.samples import ProbeSample, check_samples
from calibration.ultrasound_probe.wires.crossings import WirePoints
from calibration.ultrasound_probe.wires.fit import Fit, Scene, closed_form, covariance, first_lag_s, refine
from calibration.ultrasound_probe.wires.phantom import NWirePhantom
from geometry import Transform
from geometry.errors import FrameMismatchError
from geometry.points import Floats


@dataclass(frozen=True, kw_only=True)
class NWireSettings:
    """What an N-wire calibration takes for true, and what it must bring before it is believed.

    Attributes:
        rectangular: a scanner's pixels are rectangles: rows and columns are held at a right angle. A skew is estimated
            nevertheless, and stated with its doubt. False uses it.
        longest_lag_s: where the lag is estimated, it is looked for up to this on both sides.
        minimum_images: fewer images with a whole N are refused.
        tukey_cutoff: points whose residual exceeds this many standard deviations (of one axis) are rejected.
        maximum_rejected_fraction: more rejected points than this leave too few to trust the rest.
        maximum_residual_rms_mm: above this, wires are taken for others, or phantom or tracker are not where they say.
        maximum_error_mm: largest expected RMS error at the middle of the image; that at its corners is stated.
        probe_axes: to which sides the probe looks, if known; see `ProbeAxes`.
    """

    rectangular: bool = True
    longest_lag_s: float = 1.0
    minimum_images: int = 20
    tukey_cutoff: float = 4.685
    maximum_rejected_fraction: float = 0.4
    maximum_residual_rms_mm: float = 1.0
    maximum_error_mm: float = 1.0
    probe_axes: ProbeAxes = field(default_factory=ProbeAxes)


@dataclass(frozen=True, eq=False)
class NWireCalibration:
    """A calibration from N-wires, and the time between image and pose that was found with it.

    Attributes:
        calibration: see `ProbeCalibration`.
        lag_s: an image with the time t shows what the pose at ``t + lag_s`` sees; None where it was not estimated.
        lag_sd_s: its standard deviation.
        skew_rad, skew_sd_rad: estimated with a free angle between rows and columns from at most 200 of the images,
            evenly chosen; whether used or not.
    """

    calibration: ProbeCalibration
    lag_s: float | None
    lag_sd_s: float | None
    skew_rad: float
    skew_sd_rad: float


def calibrate_n_wires(
    samples: Sequence[ProbeSample],
    phantom: NWirePhantom,
    T_fixed_phantom: Transform,
    image_size_px: tuple[int, int],
    *,
    motion: ProbeMotion | None = None,
    phantom_covariance: Floats | None = None,
    settings: NWireSettings | None = None,
) -> NWireCalibration:
    """Finds the map from pixel to probe.

    Args:
        samples: the wires seen in each image, named, in the order of time.
        phantom: the wires.
        T_fixed_phantom: where the phantom lies in the frame of the samples' poses.
        image_size_px: width and height.
        motion: all poses of the recording, in the same frame. With it the lag between images and poses is estimated
            too, and samples take their poses from it; without it, their own poses are taken as simultaneous.
        phantom_covariance: of `T_fixed_phantom`, ``(6, 6)`` of rotation vector (rad) and translation (mm), in axes of
            the fixed frame; enters the expected error. No residual shows an error of the phantom's place.
        settings: see there.

    Raises:
        ProbeInputError: see `check_samples`; points without names, a wire that the phantom has not, or one twice.
        ProbeRefusedError: too few images with a whole N.
        FrameMismatchError: the phantom in another frame than the poses.
    """
    settings = settings or NWireSettings()
    scene, probe_frame = n_wire_scene(samples, phantom, T_fixed_phantom, motion, settings)
    few = _thinned(scene, 200)
    start = _start(few, settings)
    _check_used(few, start, settings)
    skew_rad, skew_sd_rad = _skew(start.columns_mm, covariance(few, start, False, phantom_covariance)[:9, :9])
    fit = refine(scene, start.columns_mm, start.lag_s, settings.rectangular, settings.tukey_cutoff)
    _check_used(scene, fit, settings)
    spread = covariance(scene, fit, settings.rectangular, phantom_covariance)
    lags = None if motion is None else (fit.lag_s, float(np.sqrt(spread[9, 9])))
    image_map = ImageToProbe(fit.columns_mm, spread[:9, :9], probe_frame)
    coverage = (*_coverage(scene, fit, image_size_px), *_said(lags, (skew_rad, skew_sd_rad), settings))
    calibration = ProbeCalibration(
        image_map=image_map,
        method="n_wire",
        image_size_px=image_size_px,
        residuals_mm=np.linalg.norm(fit.residuals_mm[fit.used], axis=1),
        outliers=_outliers(samples, scene, fit),
        n_images=len(np.unique(scene.points.image[fit.used])),
        orientation=said_orientation(image_map, settings.probe_axes),
        coverage=coverage if phantom_covariance is not None else (*coverage, _NO_PHANTOM_ERROR),
        reasons=(),
    )
    calibration = replace(calibration, reasons=_reasons(calibration, scene, lags, settings))
    lag_s, lag_sd_s = (None, None) if lags is None else lags
    return NWireCalibration(calibration, lag_s, lag_sd_s, skew_rad, skew_sd_rad)


_NO_PHANTOM_ERROR = "the expected error leaves out how well the phantom's own place is known: state its covariance"


def n_wire_scene(
    samples: Sequence[ProbeSample],
    phantom: NWirePhantom,
    T_fixed_phantom: Transform,
    motion: ProbeMotion | None,
    settings: NWireSettings,
) -> tuple[Scene, str]:
    """Samples, phantom and motion as arrays, checked; and the frame of the probe's marker."""
    fixed_frame, probe_frame = check_samples(samples, 1)
    if T_fixed_phantom.to_frame != fixed_frame:
        came = f"the phantom as {T_fixed_phantom} and poses {samples[0].T_fixed_probe}"
        raise FrameMismatchError(came, "both in the same frame", "register the phantom in the frame of the poses")
    wires = []
    for sample in samples:
        if len(set(sample.names)) != len(sample.points_px):
            came = f"{len(sample.points_px)} points named {', '.join(sample.names)} in image {sample.index}"
            raise ProbeInputError(came, "one name for each, none twice", "name every point by its wire")
        wires += phantom.places(sample.names)
    image = np.repeat(np.arange(len(samples)), [len(sample.points_px) for sample in samples])
    points = WirePoints(image, np.array(wires, np.intp), np.concatenate([sample.points_px for sample in samples]))
    scene = Scene(
        points=points,
        phantom=phantom,
        T_fixed_phantom=T_fixed_phantom.matrix,
        time_s=np.array([sample.time_s for sample in samples]),
        T_fixed_probe=np.stack([sample.T_fixed_probe.matrix for sample in samples]),
        motion=motion,
    )
    whole = sum(_has_an_n(points.wire[image == index]) for index in range(len(samples)))
    if whole < settings.minimum_images:
        raise ProbeRefusedError(
            f"{whole} of {len(samples)} images with the three wires of an N",
            f"at least {settings.minimum_images}",
            "sweep slowly over the phantom, with all wires in view, for longer",
        )
    return scene, probe_frame


def _has_an_n(wires: np.ndarray) -> bool:
    return bool((np.bincount(wires // 3) == 3).any()) if len(wires) else False


def _thinned(scene: Scene, most: int) -> Scene:
    """The scene with `most` of its images, evenly chosen: enough to find the lag by."""
    chosen = np.unique(np.linspace(0, len(scene.time_s) - 1, most).astype(np.intp))
    keep = np.isin(scene.points.image, chosen)
    image = np.searchsorted(chosen, scene.points.image[keep])
    points = WirePoints(image, scene.points.wire[keep], scene.points.points_px[keep])
    return replace(scene, points=points, time_s=scene.time_s[chosen], T_fixed_probe=scene.T_fixed_probe[chosen])


def _start(few: Scene, settings: NWireSettings) -> Fit:
    """A solution of some of the images, with a free angle between rows and columns; near to that of all of them."""
    lag_s = first_lag_s(few, settings.longest_lag_s)
    columns_mm, _ = closed_form(few, lag_s)
    return refine(few, columns_mm, lag_s, False, settings.tukey_cutoff, n_l1=5)


def _check_used(scene: Scene, fit: Fit, settings: NWireSettings) -> None:
    used = len(np.unique(scene.points.image[fit.used]))
    if used < settings.minimum_images:
        raise ProbeRefusedError(
            f"{used} images whose wires agree with one another and with the poses",
            f"at least {settings.minimum_images}",
            "check that the wires are named as in the phantom, and that probe and phantom are tracked while recording",
        )


def _skew(columns: Floats, spread: Floats) -> tuple[float, float]:
    """The skew and its standard deviation, both in rad."""
    lengths = np.linalg.norm(columns[:, :2], axis=0)
    u, v = (columns[:, :2] / lengths).T
    cosine = float(u @ v)
    gradient = np.concatenate([(v - cosine * u) / lengths[0], (u - cosine * v) / lengths[1], np.zeros(3)])
    sine = np.sqrt(max(1.0 - cosine**2, 1e-12))
    return float(np.arcsin(cosine)), float(np.sqrt(max(gradient @ spread @ gradient, 0.0)) / sine)


def _outliers(samples: Sequence[ProbeSample], scene: Scene, fit: Fit) -> tuple[ProbeOutlier, ...]:
    found = []
    for place in np.flatnonzero(~fit.used):
        sample = samples[scene.points.image[place]]
        residual_mm = float(np.linalg.norm(fit.residuals_mm[place]))
        name = scene.phantom.names[scene.points.wire[place]]
        found.append(ProbeOutlier(sample.index, sample.time_s, name, residual_mm))
    return tuple(found)


def _coverage(scene: Scene, fit: Fit, image_size_px: tuple[int, int]) -> list[str]:
    points_px = scene.points.points_px[fit.used]
    (left, top), (right, bottom) = np.percentile(points_px, [1.0, 99.0], axis=0)
    rotations = Rotation.from_matrix(scene.T_fixed_probe[np.unique(scene.points.image[fit.used]), :3, :3])
    turns = (rotations.mean().inv() * rotations).as_rotvec()
    tilts_deg = np.rad2deg(np.sqrt(np.linalg.eigvalsh(turns.T @ turns / len(turns)).clip(0.0)))
    said = [
        f"wires were seen from x {left:.0f} to {right:.0f} of {image_size_px[0]} px and from y {top:.0f} to "
        f"{bottom:.0f} of {image_size_px[1]} px: outside, the map is extrapolated",
        f"the probe turned by {tilts_deg[0]:.1f}, {tilts_deg[1]:.1f} and {tilts_deg[2]:.1f} degrees RMS about three "
        "axes",
    ]
    if tilts_deg[1] < 5.0:
        said.append(
            "the probe was hardly tilted: an error of the phantom's place or of the tracker enters the calibration "
            "whole, and no residual shows it; tilt it to all sides by 10 degrees and more"
        )
    return said


def _said(lags: tuple[float, float] | None, skew: tuple[float, float], settings: NWireSettings) -> list[str]:
    said = []
    if lags is not None:
        order = "older" if lags[0] < 0.0 else "newer"
        said.append(
            f"images fit poses {abs(1e3 * lags[0]):.0f} ms {order} than their own time (standard deviation "
            f"{1e3 * lags[1]:.0f} ms): use this lag with the calibration"
        )
    used = "pixels are taken as rectangles nevertheless" if settings.rectangular else "and used"
    said.append(f"a skew of {np.rad2deg(skew[0]):.2f} degrees was seen (SD {np.rad2deg(skew[1]):.2f}), {used}")
    return said


def _reasons(
    calibration: ProbeCalibration, scene: Scene, lags: tuple[float, float] | None, settings: NWireSettings
) -> tuple[str, ...]:
    reasons = []
    rejected = len(calibration.outliers) / len(scene.points.image)
    if rejected > settings.maximum_rejected_fraction:
        reasons.append(
            f"{rejected:.0%} of the wire points agree with nothing, at most {settings.maximum_rejected_fraction:.0%}: "
            "check that the wires are named as in the phantom"
        )
    if calibration.residual_rms_mm > settings.maximum_residual_rms_mm:
        reasons.append(
            f"the wires are seen {calibration.residual_rms_mm:.2f} mm RMS from where they should be, at most "
            f"{settings.maximum_residual_rms_mm:g} mm: wires taken for others, a phantom that moved, or images and "
            "poses of different times"
        )
    if calibration.expected_error_mm > settings.maximum_error_mm:
        reasons.append(
            f"the middle of the image would be known to {calibration.expected_error_mm:.1f} mm RMS, at most "
            f"{settings.maximum_error_mm:g} mm: take more images, and tilt and move the probe more"
        )
    spacings_mm = calibration.image_map.spacing_x_mm, calibration.image_map.spacing_y_mm
    if not all(0.01 <= spacing <= 2.0 for spacing in spacings_mm) or not 0.5 <= spacings_mm[0] / spacings_mm[1] <= 2.0:
        reasons.append(
            f"pixels of {spacings_mm[0]:.4g} by {spacings_mm[1]:.4g} mm are none of an ultrasound image: check units "
            "(mm, px) and the names of the wires"
        )
    if lags is not None and abs(lags[0]) > settings.longest_lag_s:
        reasons.append(f"images and poses are {lags[0]:.2f} s apart: check that both times are of one clock")
    return tuple(reasons)
