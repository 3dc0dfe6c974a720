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
from navigation.ultrasound.live.motion_agreement import LAGS_NS, Agreement
from navigation.ultrasound.live.placing_timeline import PlacingTimeline
from navigation.ultrasound.pipeline import USABLE, FrameResult

_WINDOW_NS = 10 * NS_PER_S
_FEWEST = 75  # shifts, before anything is said
_MOST_APART_NS = NS_PER_S // 5
_LARGEST_SIDE = 192  # px of what is compared; more gains nothing
_ROWS, _COLUMNS = (
    (0.2, 0.8),
    (0.2, 0.8),
)  # of the image: neither the transducer's own echo nor what is written beside it
_LEAST_RESPONSE = 0.2  # of the correlation's peak: below that, two frames show different tissue
# Shifts are added up over this time, so that the tracker's noise is small beside them.
_CHAIN_NS = 170_000_000
_LEAST_MOTION_PX = 1.0  # RMS over that time, on the compared image: less cannot be told from none
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
        self._faults: dict[str, str] = {}
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
        least_px = _LEAST_MOTION_PX * max(self._timeline.probe.size_px) / _LARGEST_SIDE
        measured, predicted = (np.array([each[k] for each in self._moved]) for k in (1, 2))
        found = Agreement.of(measured, predicted, least_px)
        # A doubt ends with the evidence against it, not for want of motion that would show it.
        held = {kind: words for kind, words in self._faults.items() if kind not in found.settled}
        self._faults = held | found.faults
        doubts = "; ".join(self._faults.values())
        self.doubt = f"{doubts}; check the source, or calibrate the probe again" if doubts else ""
        self.said = self.doubt or (found.words if found.clear.any() else NOT_YET)


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
