"""Temporal calibration: by how much the times of images and of poses differ.

The probe is moved towards a flat bottom and away from it. The bottom's depth in the image follows the motion of the
probe; the lag at which it does so best is that between the two clocks (Treece, Gee, Prager, Cash, Berman,
"High-definition freehand 3-D ultrasound", Ultrasound in Medicine and Biology 29(4), 2003). The depth is correlated with
all three components of the probe's motion at once, so nobody has to know which way it was moved; poses are
interpolated, so the lag is not bound to whole frames.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calibration.ultrasound_probe.errors import ProbeInputError, ProbeRefusedError
from calibration.ultrasound_probe.motion import ProbeMotion
from calibration.ultrasound_probe.scatter import sandwich
from geometry.points import Bools, Floats, read_only


@dataclass(frozen=True, kw_only=True)
class TemporalSettings:
    """What a temporal calibration must bring before it is believed.

    Attributes:
        longest_lag_s: looked for up to this on both sides.
        minimum_images: fewer images with a depth and a pose are refused.
        tukey_cutoff: images whose depth is farther off than this many standard deviations are rejected: there, the
            bottom was not what was found.
        minimum_correlation: below this, the depth does not follow the probe.
        maximum_lag_sd_s: a lag that is known no better is refused.
        least_gain: another lag must leave more than this times the RMS depth of the best, or the motion repeats itself.
    """

    longest_lag_s: float = 1.0
    minimum_images: int = 50
    tukey_cutoff: float = 4.685
    minimum_correlation: float = 0.8
    maximum_lag_sd_s: float = 0.02
    least_gain: float = 1.2


@dataclass(frozen=True, eq=False)
class TemporalCalibration:
    """The lag between images and poses.

    Attributes:
        lag_s: an image with the time t shows what the probe saw at ``t + lag_s`` of the poses' clock. Negative: the
            image shows an earlier moment than its time says. PLUS's ``TrackerLagSec`` has the same sign.
        lag_sd_s: its standard deviation, from the residuals' scatter and their correlation in time.
        correlation: between depth and probe motion, 0 to 1, of the images used.
        residual_rms_px: of the depth of the images used.
        used: which images were used, ``(n,)``.
        residuals_px: of each image, ``(n,)``; NaN without a depth or a pose.
        reasons: why it is refused, as sentences; empty when it is accepted.
    """

    lag_s: float
    lag_sd_s: float
    correlation: float
    residual_rms_px: float
    used: Bools
    residuals_px: Floats
    reasons: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        return not self.reasons


def calibrate_probe_time(
    time_s: Floats, depth_px: Floats, motion: ProbeMotion, settings: TemporalSettings | None = None
) -> TemporalCalibration:
    """Finds the lag between images and poses.

    Args:
        time_s: times of the images in s, ``(n,)``, increasing.
        depth_px: depth of the bottom in each image, ``(n,)`` in px; NaN where it was not seen.
        motion: poses of the probe in a frame that the bottom stands still in.
        settings: see there.

    Raises:
        ProbeInputError: other shapes, times that do not increase.
        ProbeRefusedError: too few images with a depth and a pose.
    """
    settings = settings or TemporalSettings()
    time_s, depth_px = np.asarray(time_s, np.float64), np.asarray(depth_px, np.float64)
    _check(time_s, depth_px, settings)
    seen = np.isfinite(depth_px)
    times, depths = time_s[seen], depth_px[seen]
    lags_s, left_px = _scan(times, depths, motion, settings)
    lag_s, used_seen = _refined(times, depths, motion, float(lags_s[np.argmin(left_px)]), settings.tukey_cutoff)
    residuals, jacobian, known = _linear(times, depths, motion, lag_s, used_seen)
    used_seen &= known
    left, kept = residuals[used_seen], jacobian[used_seen]
    spread = sandwich(kept.T @ kept, kept * left[:, None])
    variance = max(float(np.var(depths[used_seen])), 1e-12)
    used, residuals_px = np.zeros(len(time_s), bool), np.full(len(time_s), np.nan)
    used[seen], residuals_px[seen] = used_seen, np.where(known, residuals, np.nan)
    result = TemporalCalibration(
        lag_s=lag_s,
        lag_sd_s=float(np.sqrt(max(spread[-1, -1], 0.0))),
        correlation=float(np.sqrt(max(0.0, 1.0 - float(np.mean(left**2)) / variance))),
        residual_rms_px=float(np.sqrt(np.mean(left**2))),
        used=read_only(used),
        residuals_px=read_only(residuals_px),
        reasons=(),
    )
    return replace(result, reasons=_reasons(result, lags_s, left_px, settings))


def _check(time_s: Floats, depth_px: Floats, settings: TemporalSettings) -> None:
    if time_s.ndim != 1 or time_s.shape != depth_px.shape or not np.isfinite(time_s).all():
        came = f"times of shape {time_s.shape} and depths of shape {depth_px.shape}, or times that are not finite"
        raise ProbeInputError(came, "one time and one depth per image", "leave out images without a time")
    if (late := np.flatnonzero(np.diff(time_s) <= 0.0)).size:
        raise ProbeInputError(
            f"image {late[0] + 1} at {time_s[late[0] + 1]:.3f} s after one at {time_s[late[0]]:.3f} s",
            "images in the order of time, each once",
            "sort them, and leave out repeated ones",
        )
    if (seen := int(np.isfinite(depth_px).sum())) < settings.minimum_images:
        raise ProbeRefusedError(
            f"{seen} of {len(depth_px)} images in which a bottom was found",
            f"at least {settings.minimum_images}",
            "hold the probe over the flat bottom of a water tank, so that its line is bright, and move it up and down",
        )


def _scan(times: Floats, depths: Floats, motion: ProbeMotion, settings: TemporalSettings) -> tuple[Floats, Floats]:
    """Lags in steps of 20 ms, and what each leaves of the depth, RMS in px: the cross-correlation, turned over."""
    n_steps = round(settings.longest_lag_s / 0.02)
    lags_s = 0.02 * np.arange(-n_steps, n_steps + 1, dtype=np.float64)
    left_px = np.full(len(lags_s), np.inf)
    for k, lag_s in enumerate(lags_s):
        places, known = motion.places_at(times + lag_s)
        if known.sum() >= max(settings.minimum_images, 0.5 * len(times)):
            rows, wanted = np.column_stack([places, np.ones(len(places))])[known], depths[known]
            left_px[k] = np.sqrt(np.mean((wanted - rows @ np.linalg.lstsq(rows, wanted, rcond=1e-12)[0]) ** 2))
    if not np.isfinite(left_px).any():
        raise ProbeRefusedError(
            f"{len(times)} images of which fewer than half have a pose of the probe between two others",
            f"at least {settings.minimum_images} images, and half of them",
            "keep the probe's marker in the tracker's view, and check that both times are of one clock",
        )
    return lags_s, left_px


def _refined(times: Floats, depths: Floats, motion: ProbeMotion, lag_s: float, cutoff: float) -> tuple[float, Bools]:
    """The lag by Gauss and Newton with Tukey's weights, then with full weight of the images kept."""
    used, weights = np.ones(len(times), bool), np.ones(len(times))
    for iteration in range(20):
        residuals, jacobian, known = _linear(times, depths, motion, lag_s, weights > 0.0)
        scale = max(1.4826 * float(np.median(np.abs(residuals[known]))), 1e-9) if known.any() else 1.0
        if iteration < 14:
            weights = np.maximum(0.0, 1.0 - (residuals / (cutoff * scale)) ** 2)
            used = weights > 0.0
        else:
            weights = used.astype(np.float64)
        weights = weights * known
        step = np.linalg.lstsq(jacobian * weights[:, None], residuals * weights, rcond=1e-12)[0]
        lag_s += float(np.clip(step[-1], -0.02, 0.02))
    return lag_s, used


def _linear(
    times: Floats, depths: Floats, motion: ProbeMotion, lag_s: float, used: Bools
) -> tuple[Floats, Floats, Bools]:
    """Residuals ``(n,)`` in px, derivatives of the depth by slope, offset and lag ``(n, 5)``, and which have a pose."""
    places, known = motion.places_at(times + lag_s)
    rows = np.column_stack([places, np.ones(len(places))])
    fitted = used & known
    solution = np.linalg.lstsq(rows[fitted], depths[fitted], rcond=1e-12)[0]
    speed = (motion.places_at(times + lag_s + 1e-3)[0] - motion.places_at(times + lag_s - 1e-3)[0]) / 2e-3
    return depths - rows @ solution, np.column_stack([rows, speed @ solution[:3]]), known


def _reasons(
    result: TemporalCalibration, lags_s: Floats, left_px: Floats, settings: TemporalSettings
) -> tuple[str, ...]:
    reasons = []
    if result.correlation < settings.minimum_correlation:
        reasons.append(
            f"the depth follows the probe with a correlation of {result.correlation:.2f} only, at least "
            f"{settings.minimum_correlation:g}: move the probe up and down over a flat bottom, by centimetres"
        )
    elif result.lag_sd_s > settings.maximum_lag_sd_s:
        reasons.append(
            f"the lag is known to {1e3 * result.lag_sd_s:.0f} ms only, at most {1e3 * settings.maximum_lag_sd_s:g} ms: "
            "move the probe faster, and for longer"
        )
    if abs(result.lag_s) > settings.longest_lag_s - 0.02:
        reasons.append(
            f"the best lag lies at the end of what was looked at, {1e3 * result.lag_s:.0f} ms: check that images and "
            "poses have times of one clock"
        )
    others = [left for lag, left in _valleys(lags_s, left_px) if abs(lag - result.lag_s) > 0.06]
    if others and min(others) < settings.least_gain * left_px.min():
        reasons.append(
            "another lag fits almost as well, since the motion repeats itself: move the probe in strokes of different "
            "lengths and speeds"
        )
    rejected = 1.0 - float(result.used.mean())
    if rejected > 0.4:
        reasons.append(
            f"{rejected:.0%} of the images do not follow the probe, at most 40%: look whether it is the bottom"
        )
    return tuple(reasons)


def _valleys(lags_s: Floats, left_px: Floats) -> list[tuple[float, float]]:
    inner = (left_px[1:-1] <= left_px[:-2]) & (left_px[1:-1] <= left_px[2:]) & np.isfinite(left_px[1:-1])
    return [(float(lags_s[k + 1]), float(left_px[k + 1])) for k in np.flatnonzero(inner)]
