"""What is believed of a calibration: sizes of a pixel, flips, the speed of sound, residuals, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from calibration.ultrasound_probe.flips import ProbeAxes, image_flips
from calibration.ultrasound_probe.image_map import ImageToProbe
from geometry.points import Floats

# No image of a probe has pixels smaller or larger than this, in mm.
_LEAST_SPACING_MM, _LARGEST_SPACING_MM = 0.005, 3.0
# Differences below this many standard deviations, or this share, are not told from none.
_SURE, _LEAST_SHARE = 3.0, 0.005


@dataclass(frozen=True, kw_only=True)
class ProbeImage:
    """What is stated of the images before the calibration.

    Attributes:
        size_px: width and height.
        axes: to which sides of its marker the probe looks; without it, flips can hardly be found.
        stated_spacing_mm: width and height of a pixel as the machine states them; None if it states none.
        assumed_speed_mps: speed of sound that the machine turns times into depths with.
    """

    size_px: tuple[int, int]
    axes: ProbeAxes = field(default_factory=ProbeAxes)
    stated_spacing_mm: tuple[float, float] | None = None
    assumed_speed_mps: float = 1540.0


@dataclass(frozen=True, kw_only=True)
class TargetSettings:
    """What a recording must bring before its calibration is believed.

    Attributes:
        minimum_images: fewer images with the target than this are refused.
        minimum_extent: share of the image's width and of its height that a point must have been seen over.
        maximum_corner_error_mm: a larger expected error at the worst corner of the image is refused, and the motion
            that is missing is named.
        maximum_residual_rms_mm: above this, the target moved, times of images and poses do not agree, or points are
            given in another unit.
        maximum_rejected_fraction: more rejected images than this leave too few to trust the rest.
        maximum_depth_error_mm: a wrong speed of sound that moves the image's bottom by more is refused.
        least_noise_mm: a recording is judged as if its residuals were at least this large: no tracker and no beam is
            better, and without it a recording without noise would seem to tell everything.
    """

    minimum_images: int = 20
    minimum_extent: float = 0.3
    maximum_corner_error_mm: float = 1.5
    maximum_residual_rms_mm: float = 2.0
    maximum_rejected_fraction: float = 0.4
    maximum_depth_error_mm: float = 1.0
    least_noise_mm: float = 0.2


def said_sizes(image_map: ImageToProbe) -> str:
    """The sizes of a pixel and the skew, with their standard deviations, as a sentence."""
    (width, width_sd), (height, height_sd), (skew, skew_sd) = _spacings(image_map)
    return (
        f"a pixel is {width:.4f} +- {width_sd:.4f} mm wide and {height:.4f} +- {height_sd:.4f} mm high, and the "
        f"image's axes are {np.rad2deg(skew):.2f} +- {np.rad2deg(skew_sd):.2f} degrees off a right angle"
    )


def _spacings(image_map: ImageToProbe) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
    """``(value, standard deviation)`` of width and height of a pixel in mm, and of the skew in rad."""
    u, v = image_map.columns_mm[:, 0], image_map.columns_mm[:, 1]
    width, height = image_map.spacing_x_mm, image_map.spacing_y_mm
    x, y, covariance = u / width, v / height, image_map.covariance[:6, :6]
    cosine = float(x @ y)
    of_skew = np.r_[(y - cosine * x) / width, (x - cosine * y) / height] / np.sqrt(1.0 - cosine**2)
    slopes = np.stack([np.r_[x, np.zeros(3)], np.r_[np.zeros(3), y], of_skew])
    spreads = np.sqrt(np.einsum("ki,ij,kj->k", slopes, covariance, slopes))
    return (width, float(spreads[0])), (height, float(spreads[1])), (image_map.skew_rad, float(spreads[2]))


def flips_refused(image_map: ImageToProbe, image: ProbeImage) -> list[str]:
    """Flips against what is stated of the probe, and an image that looks back over its own marker, as sentences.

    A mirrored image lies in the same plane, so that a turn by 180 degrees absorbs it and no residual shows it: it is
    compared with what is stated. The marker sits on the handle, behind the transducer: an image that grows towards it
    is upside down, also where nothing is stated.
    """
    for name, wanted, column in (("marked", image.axes.marked, 0), ("far", image.axes.far, 1)):
        if wanted is not None:
            axis = image_map.columns_mm[:, column]
            cosine = float(axis @ wanted / (np.linalg.norm(axis) * max(float(np.linalg.norm(wanted)), 1e-12)))
            if abs(cosine) < 0.5:
                return [
                    f"the image's {'xy'[column]} lies {np.rad2deg(np.arccos(cosine)):.0f} degrees from the stated side "
                    f"'{name}' of the probe, neither along nor against it: correct the side, which is in the frame of "
                    "the probe's marker, or turn the image"
                ]
    reasons = [
        f"the image is mirrored, it exchanges {what}: turn it at the scanner or state its orientation, then calibrate "
        "again"
        for what in image_flips(image_map, image.axes)
    ]
    width, height = image.size_px
    middle = image_map.to_probe_mm(np.array([[width / 2.0, height / 2.0]]))[0]
    down = image_map.columns_mm[:, 1] / image_map.spacing_y_mm
    if image.axes.far is None and float(middle @ down) < 0.0:
        reasons.append(
            f"the image looks upside down: the probe's marker would lie {-float(middle @ down):.0f} mm deeper than the "
            "image's middle, in the patient: exchange top and bottom, or state the probe's direction of view"
        )
    return reasons


def said_and_refused_spacings(
    image_map: ImageToProbe, image: ProbeImage, maximum_depth_error_mm: float
) -> tuple[list[str], list[str]]:
    """Sizes of a pixel against those that the machine states: sentences, and reasons to refuse.

    Sound that runs at another speed than the machine assumes scales the depth alone; an image of another depth setting
    or of another size scales both.
    """
    (width, width_sd), (height, height_sd), _ = _spacings(image_map)
    if not all(_LEAST_SPACING_MM <= size <= _LARGEST_SPACING_MM for size in (width, height)):
        return [], [
            f"a pixel of {width:.3g} by {height:.3g} mm, where {_LEAST_SPACING_MM:g} to {_LARGEST_SPACING_MM:g} mm is "
            "possible: give positions in mm, not in metres, and points in pixels"
        ]
    if image.stated_spacing_mm is None:
        return [], []
    ratios = np.array([width, height]) / image.stated_spacing_mm
    spreads = np.array([width_sd, height_sd]) / image.stated_spacing_mm
    off = np.abs(ratios - 1.0) > np.maximum(_SURE * spreads, _LEAST_SHARE)
    said = f"{ratios[0]:.3f} +- {spreads[0]:.3f} and {ratios[1]:.3f} +- {spreads[1]:.3f} times what the machine states"
    sentences = [f"width and height of a pixel are {said}"]
    if not off.any():
        return sentences, []
    if off[1] and not off[0]:
        return _said_sound(float(ratios[1]), float(spreads[1]), image, height, maximum_depth_error_mm, sentences)
    alike = abs(ratios[0] - ratios[1]) <= max(_SURE * float(np.hypot(*spreads)), _LEAST_SHARE)
    why = (
        "another depth or zoom than the one that the sizes were stated for: state those of the images recorded"
        if alike
        else "an image that was resized on its way, or sizes of another one: record it as the scanner makes it"
    )
    return sentences, [f"a pixel's width and height are {said}: {why}"]


def _said_sound(
    ratio: float, spread: float, image: ProbeImage, height_mm: float, limit_mm: float, sentences: list[str]
) -> tuple[list[str], list[str]]:
    speed = image.assumed_speed_mps
    error_mm = abs(ratio - 1.0) * image.size_px[1] * height_mm
    found = (
        f"the depth alone is {ratio:.3f} +- {spread:.3f} times what the machine states, as where sound runs at "
        f"{ratio * speed:.0f} +- {spread * speed:.0f} m/s and not at {speed:.0f}: {error_mm:.1f} mm at the "
        "image's bottom"
    )
    if error_mm <= limit_mm:
        return [*sentences, found], []
    action = f"use a bath in which sound runs at {speed:.0f} m/s (water at room temperature is slower), or set its"
    return sentences, [f"{found}; {action} speed at the scanner, and calibrate again"]


def fit_refused(residual_rms_mm: float, rejected: int, images: int, settings: TargetSettings) -> list[str]:
    """Residuals and rejected images beyond their limits, as sentences."""
    reasons = []
    if residual_rms_mm > settings.maximum_residual_rms_mm:
        reasons.append(
            f"a residual of {residual_rms_mm:.2f} mm RMS, where {settings.maximum_residual_rms_mm:g} mm is allowed: "
            "check that the target and its frame stood still, that images and poses have the same times, and that "
            "nothing is mirrored or in another unit"
        )
    if rejected > settings.maximum_rejected_fraction * images:
        reasons.append(
            f"{rejected} of {images} images do not agree with the rest, where "
            f"{settings.maximum_rejected_fraction:.0%} may: check how the target is found in the images, and "
            "record again"
        )
    return reasons


def said_extent(pixels: Floats, size_px: tuple[int, int], what: str) -> str:
    """Over how much of the image a target was seen, as a sentence."""
    shares = np.ptp(np.percentile(pixels, [5.0, 95.0], axis=0), axis=0) / size_px
    return f"{what} was seen over {shares[0]:.0%} of the image's width and {shares[1]:.0%} of its height"


def said_turns(turns_deg: Floats) -> str:
    """By how much the probe was turned, as a sentence."""
    x, y, z = turns_deg
    return (
        f"the probe was tilted to and fro over {x:.0f} degrees, turned about its beam over {y:.0f} and rocked from "
        f"side to side over {z:.0f}"
    )
