"""How far a moving tip is from where a display shows it, as it was last seen and as it is predicted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from geometry import Transform
from geometry.points import Floats
from navigation.clock import NS_PER_S
from navigation.live.filters.constant_velocity import ConstantVelocity

# From the moment a display reads a pose until it is seen: one frame at 90 Hz to draw, and half of one to scan out.
DISPLAY_NS = NS_PER_S // 60
# Slower than this a tip rests, as far as a delay is concerned.
MOVING_MM_S = 10.0
_STEP_NS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class ShownMotion:
    """Errors at the moment a pose is seen, of a tip that moves.

    Attributes:
        delay_ms: mean time from exposure until it is seen.
        speed_mm_s: mean speed of the tip.
        last_seen_rms_mm: error of the pose as it was measured.
        predicted_rms_mm: error of the pose that a `ConstantVelocity` filter predicts for that moment.
    """

    delay_ms: float
    speed_mm_s: float
    last_seen_rms_mm: float
    predicted_rms_mm: float


def shown_motion(
    poses: Iterable[tuple[int, int, Transform]], true_mm: Callable[[int], Floats | None]
) -> ShownMotion | None:
    """Compares what is shown with the truth.

    Args:
        poses: time of capture, time at which the display read it, and ``T_reference_tip``, in the order of capture.
        true_mm: where the tip truly is in ``reference`` at a time in ns; None while it is hidden.

    Returns:
        None where the tip never moved.
    """
    filter_ = ConstantVelocity()
    rows = []
    for capture_ns, read_ns, pose in poses:
        filter_.note(pose, capture_ns)
        seen_ns = read_ns + DISPLAY_NS
        predicted, there, soon = filter_.at(seen_ns), true_mm(seen_ns), true_mm(seen_ns + _STEP_NS)
        if there is None or soon is None or not isinstance(predicted, Transform):
            continue
        speed = float(np.linalg.norm(soon - there)) * NS_PER_S / _STEP_NS
        if speed > MOVING_MM_S:
            off_mm = [float(np.linalg.norm(each.translation_mm - there)) for each in (pose, predicted)]
            rows.append([(seen_ns - capture_ns) / 1e6, speed, *off_mm])
    if not rows:
        return None
    table = np.array(rows)
    delay_ms, speed_mm_s = table[:, :2].mean(axis=0).tolist()
    last_seen, predicted_mm = np.sqrt(np.mean(table[:, 2:] ** 2, axis=0)).tolist()
    return ShownMotion(
        delay_ms=delay_ms, speed_mm_s=speed_mm_s, last_seen_rms_mm=last_seen, predicted_rms_mm=predicted_mm
    )
