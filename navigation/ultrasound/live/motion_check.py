"""Compares how the image moves with how the probe moves: a mirrored image, or a wrong lag, shows while one scans.

Tissue that stands still moves through the image against the probe's motion. From frame to frame the image's shift is
measured by phase correlation (Kuglin and Hines, "The phase correlation image alignment method", IEEE Conference on
Cybernetics and Society, 1975), and predicted from calibration and poses for several lags. Where the two agree best,
with which sign of each axis, is what calibration and lag should be.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from geometry.extras import from_extra
from geometry.points import Floats
from navigation.clock import NS_PER_S
from navigation.devices.ultrasound.source import GreyPixels
from navigation.ultrasound.live.placing_timeline import PlacingTimeline
from navigation.ultrasound.pipeline import USABLE, FrameResult

# Lags that are tried beside the calibrated one.
LAGS_NS = 40_000_000 * np.arange(-6, 7)
_NOW = 6  # the calibrated one among them
_WINDOW_NS = 15 * NS_PER_S
_FEWEST = 40  # shifts, before anything is said
_MOST_APART_NS = NS_PER_S // 5
_LARGEST_SIDE = 192  # px of what is compared; more gains nothing
_ROWS, _COLUMNS = (0.2, 0.8), (0.2, 0.8)  # of the image: neither the transducer's own echo nor what is written beside it
_LEAST_RESPONSE = 0.2  # of the correlation's peak: below that, two frames show different tissue
# Shifts are added up over this time, so that the tracker's noise is small beside them.
_CHAIN_NS = 170_000_000
_LEAST_MOTION_PX = 1.0  # RMS over that time, on the compared image: less cannot be told from none
# Of what was measured and predicted: that it belongs together, with a sign.
_LEAST_CORRELATION = 0.6
# A lag is called wrong if another leaves so much less of the motion unexplained, lies so far off, and explains so much.
_LEAST_GAIN, _FARTHEST_NS, _LEAST_FOR_LAG = 1.5, 55_000_000, 0.85
_LAG = "the image moves"
NOT_YET = "not compared with the probe's motion yet: the image has hardly moved in its plane"


@dataclass(frozen=True, eq=False)
class _Linked:
    """A frame that shows the same tissue as the one before: what is compared of it, and its shift since the first."""

    capture_ns: int
    compared: Floats
    shift_px: Floats


class MotionCheck:
    """Takes frames in their order; says whether image and probe move together.

    Args:
        timeline: with the probe's calibration and poses.

    Attributes:
        doubt: what is wrong; empty while nothing is. It stays until the motion shows that it is right again.
        said: what was found so far.
    """

    def __init__(self, timeline: PlacingTimeline) -> None:
        self.doubt, self.said = "", NOT_YET
        self._timeline = timeline
        self._chain: deque[_Linked] = deque()
        self._waiting: deque[tuple[int, int, Floats]] = deque()
        self._moved: deque[tuple[int, Floats, Floats]] = deque()  # time, measured (2,), predicted (lags, 2)

    def take(self, result: FrameResult) -> None:
        """A frame with its pixels; one that is not usable interrupts the comparison."""
        if result.state != USABLE or result.pixels is None or result.capture_ns is None:
            self._chain.clear()
            return
        compared, scale = compared_part(result.pixels)
        shift_px = self._shift_since_first(compared, scale, result.capture_ns)
        if shift_px is None:
            return
        self._chain.append(_Linked(result.capture_ns, compared, shift_px))
        while result.capture_ns - self._chain[0].capture_ns > _CHAIN_NS:
            self._chain.popleft()
        first = self._chain[0]
        if 2 * (result.capture_ns - first.capture_ns) > _CHAIN_NS:
            self._waiting.append((first.capture_ns, result.capture_ns, shift_px - first.shift_px))
        self._compare()

    def _shift_since_first(self, compared: Floats, scale: float, capture_ns: int) -> Floats | None:
        """Where the content has moved since the chain began; begins a new one where that is not known.

        None of an image that came before: it shows the instant of the first.
        """
        last = self._chain[-1] if self._chain else None
        if last is not None and last.compared.shape == compared.shape:
            if np.array_equal(last.compared, compared):
                return None
            shift, response = image_shift(last.compared, compared)
            if response >= _LEAST_RESPONSE and 0 < capture_ns - last.capture_ns <= _MOST_APART_NS:
                return last.shift_px + shift / scale
        self._chain.clear()
        return np.zeros(2)

    def _compare(self) -> None:
        """Predicts what the poses have come to."""
        lag_ns = round(self._timeline.probe.lag_s * NS_PER_S)
        is_new = False
        while self._waiting and self._timeline.has_come_to(self._waiting[0][1] + lag_ns + int(LAGS_NS[-1])):
            before_ns, after_ns, measured = self._waiting.popleft()
            predicted = np.array(
                [self._predicted(before_ns + int(at_ns), after_ns + int(at_ns)) for at_ns in lag_ns + LAGS_NS]
            )
            if np.isfinite(predicted).all():
                self._moved.append((after_ns, measured, predicted))
                is_new = True
        while self._moved and self._moved[-1][0] - self._moved[0][0] > _WINDOW_NS:
            self._moved.popleft()
        if is_new and len(self._moved) >= _FEWEST:
            self._judge()

    def _predicted(self, before_ns: int, after_ns: int) -> Floats:
        """By how many px tissue at the image's middle moves between two instants; NaN without a pose."""
        probe = self._timeline.probe
        before, after = (self._timeline.T_reference_probe_at(at_ns) for at_ns in (before_ns, after_ns))
        if before is None or after is None:
            return np.full(2, np.nan)
        columns, middle = probe.image_map.columns_mm, 0.5 * np.array(probe.size_px, np.float64)
        place_mm = after.inverse().apply(before.apply(probe.image_map.to_probe_mm(middle[None])))[0]
        seen: Floats = np.linalg.lstsq(columns[:, :2], place_mm - columns[:, 2], rcond=None)[0]
        return seen - middle

    def _judge(self) -> None:
        measured = np.array([each for _, each, _ in self._moved])
        predicted = np.array([each for _, _, each in self._moved])  # (n, lags, 2)
        together = np.einsum("na,nla->la", measured, predicted)
        sizes = np.sqrt((measured**2).sum(axis=0) * (predicted**2).sum(axis=0))
        correlations = together / np.maximum(sizes, 1e-12)  # (lags, 2)
        least_px = _LEAST_MOTION_PX * max(self._timeline.probe.size_px) / _LARGEST_SIDE
        moves = np.sqrt((predicted[:, _NOW] ** 2).mean(axis=0)) > least_px
        best = int(np.argmax((np.abs(correlations) * moves).sum(axis=1)))
        at_best = correlations[best]
        clear = moves & (np.abs(at_best) >= _LEAST_CORRELATION)
        if not clear.any():
            self.said = self.said if self.doubt else NOT_YET
            return
        mirrored = [what for k, what in enumerate(("left and right", "top and bottom")) if clear[k] and at_best[k] < 0]
        if mirrored:
            self._doubt(f"the image exchanges {' and '.join(mirrored)}: it moves along with the probe, not against it")
            return
        off_ns, gain, is_sharp = _lag_off(correlations[:, clear].mean(axis=1))
        explains = float(np.abs(at_best[clear]).mean()) >= _LEAST_FOR_LAG
        if explains and gain >= _LEAST_GAIN and abs(off_ns) >= _FARTHEST_NS:
            late = "later" if off_ns < 0 else "earlier"
            self._doubt(f"{_LAG} {abs(off_ns) / 1e6:.0f} ms {late} than the calibrated lag says")
            return
        unsettled = (self.doubt.startswith(_LAG) and not is_sharp) or ("left" in self.doubt and not clear[0])
        if unsettled or ("top" in self.doubt and not clear[1]):
            return  # a doubt ends with the evidence against it, not for want of motion that would show it
        axes = [what for k, what in enumerate(("sideways", "in depth")) if clear[k]]
        lag = "at the calibrated lag" if is_sharp else "too steadily to tell the lag"
        self.doubt, self.said = "", f"moves with the probe {' and '.join(axes)}, {lag}"

    def _doubt(self, why: str) -> None:
        self.doubt = self.said = f"{why}; check the source, or calibrate the probe again"


def compared_part(pixels: GreyPixels) -> tuple[Floats, float]:
    """The middle of an image, made small; and the scale at which it is: px of it for each px of the image."""
    with from_extra("ultrasound"):
        import cv2

    h, w = pixels.shape
    middle = pixels[round(_ROWS[0] * h) : round(_ROWS[1] * h), round(_COLUMNS[0] * w) : round(_COLUMNS[1] * w)]
    scale = min(1.0, _LARGEST_SIDE / max(h, w))
    small = cv2.resize(middle, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1.0 else middle
    return np.asarray(small, np.float32), scale


def image_shift(before: Floats, after: Floats) -> tuple[Floats, float]:
    """By how many px ``(x, y)`` the content has moved, and how alike the two are, 0 to 1."""
    with from_extra("ultrasound"):
        import cv2

    window = cv2.createHanningWindow((before.shape[1], before.shape[0]), cv2.CV_32F)
    shift, response = cv2.phaseCorrelate(before - before.mean(), after - after.mean(), window)
    return np.array(shift, np.float64), float(response)


def _lag_off(correlations: Floats) -> tuple[float, float, bool]:
    """Where the correlations ``(lags,)`` peak, in ns; how much less is unexplained there than at the calibrated lag.

    And whether that peak is so sharp that a lag far off it would be noticed.
    """
    best = int(np.argmax(correlations))
    off_ns = float(LAGS_NS[best])
    if 0 < best < len(correlations) - 1:
        left, peak, right = correlations[best - 1 : best + 2]
        bend = left - 2.0 * peak + right
        off_ns += 0.5 * (left - right) / bend * float(LAGS_NS[1] - LAGS_NS[0]) if bend < 0.0 else 0.0
    unexplained = 1.0 - np.clip(correlations, 0.0, 1.0) ** 2
    gains = unexplained / max(float(unexplained[best]), 1e-6)
    far = np.abs(LAGS_NS - LAGS_NS[best]) > _FARTHEST_NS
    return off_ns, float(gains[_NOW]), bool((gains[far] >= _LEAST_GAIN).all())
