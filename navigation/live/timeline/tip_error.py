"""What tracking adds to a tip's error: noise of tool and reference with their lever arms, and motion since then."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geometry import Transform
from geometry.points import Floats
from navigation.clock import NS_PER_S
from navigation.devices.small_motion import covariance_at
from navigation.live.filters.constant_velocity import MotionSettings
from navigation.live.timeline.timelines import Relative, Timelines

# Long enough that a tracker's jitter of 0.1 mm makes no more than some mm/s, short enough to follow a hand.
BASELINE_NS = 40_000_000
# An offset that is known is no spread: with this share of its square in the covariance, the 95 % ellipsoid of a normal
# error holds 94.4 to 95.8 % whatever the offset is; with all of it up to 96.7 %.
OFFSET_SHARE = 0.65
_DENSITY_MM2_S3 = MotionSettings().acceleration_mm2_s3


def tracking_mm2(relative: Relative, T_reference_tip: Transform) -> Floats | None:
    """Covariance ``(3, 3)`` along the axes of ``reference`` of a tip by the noise of tool and reference.

    To first order: a small turn of a marker moves the tip by its distance from that marker. The errors of the two are
    taken as independent; what they share, such as a distortion of the tracker, makes less.

    Returns:
        None where a device does not say how well it saw.
    """
    seen, reference = relative.tool, relative.reference
    if seen.covariance is None or seen.T_tracker_tool is None:
        return None
    if reference is None:
        T_tracker_reference = seen.T_tracker_reference
    else:
        T_tracker_reference = reference.T_tracker_tool
    if T_tracker_reference is None:
        return None
    turn = T_tracker_reference.rotation_matrix
    from_reference = turn @ T_reference_tip.translation_mm
    to_tool = seen.T_tracker_tool.translation_mm - T_tracker_reference.translation_mm
    covariance_mm2 = covariance_at(seen.covariance, from_reference - to_tool)
    if reference is not None:
        if reference.covariance is None:
            return None
        covariance_mm2 = covariance_mm2 + covariance_at(reference.covariance, from_reference)
    along_reference: Floats = turn.T @ covariance_mm2 @ turn
    return along_reference


def tracking_motion(relative: Relative) -> Floats | None:
    """Covariance ``(6, 6)`` of the tool's motion by the noise of tool and reference, for points far from the tool.

    Of (rotation vector in rad, translation in mm) about the tool's origin, along the axes of ``reference``: what
    `tracking_mm2` says of one point, for all of them (`devices.small_motion.covariance_at`).

    Returns:
        None where a device does not say how well it saw.
    """
    seen, reference = relative.tool, relative.reference
    T_tracker_reference = seen.T_tracker_reference if reference is None else reference.T_tracker_tool
    if seen.covariance is None or seen.T_tracker_tool is None or T_tracker_reference is None:
        return None
    covariance = seen.covariance
    if reference is not None:
        if reference.covariance is None:
            return None
        x, y, z = (seen.T_tracker_tool.translation_mm - T_tracker_reference.translation_mm).tolist()
        moved = np.eye(6)
        moved[3:, :3] = [[0.0, z, -y], [-z, 0.0, x], [y, -x, 0.0]]
        covariance = covariance + moved @ reference.covariance @ moved.T
    turn = np.kron(np.eye(2), T_tracker_reference.rotation_matrix.T)
    along_reference: Floats = turn @ covariance @ turn.T
    return along_reference


def own_motion(relative: Relative) -> Floats | None:
    """As `tracking_motion`, by the noise of the tool alone: its error beside what the same camera saw at that instant.

    Returns:
        None where the device does not say how well it saw, or saw the reference itself: then it is not told apart.
    """
    seen, reference = relative.tool, relative.reference
    if seen.covariance is None or reference is None or reference.T_tracker_tool is None:
        return None
    turn = np.kron(np.eye(2), reference.T_tracker_tool.rotation_matrix.T)
    along_reference: Floats = turn @ seen.covariance @ turn.T
    return along_reference


def motion_mm2(
    tool: str,
    relative: Relative,
    T_reference_tip: Transform,
    T_tool_tip: Transform | None,
    timelines: Timelines,
    age_ns: int,
    lag_mm: Floats | None = None,
) -> Floats | None:
    """Covariance ``(3, 3)`` along the axes of ``reference`` whose ellipsoid holds what a tip has moved since its pose.

    A pose is shown as it was, so that a tip which moves is off by its velocity times its age. The pose may be older
    than its stamp by anything up to the bound of its device's clock: evenly spread, which has half of the bound as its
    mean and a third of its square as its mean square. The velocity is that of the last moments on average: since then
    the hand may have changed it, by white noise as `MotionSettings` has it.

    Args:
        age_ns: time since the pose's time of capture.
        lag_mm: of a filtered pose, the way ``(3,)`` from it to the measured one: at constant speed, the filter's delay
            times the velocity, in the same direction as what it has moved since. None for a measured pose.

    Returns:
        None where the tip's velocity is not known, since it was not seen a moment before.
    """
    bounds_ns = relative.tool.stamp_bound_ns, 0 if relative.reference is None else relative.reference.stamp_bound_ns
    lag: Floats = np.zeros(3) if lag_mm is None else lag_mm
    if age_ns <= 0 and not any(bounds_ns):
        late: Floats = OFFSET_SHARE * np.multiply.outer(lag, lag)
        return late
    before = timelines.observed(tool, relative.capture_ns - BASELINE_NS)
    if not isinstance(before, Relative):
        return None
    then = before.T_reference_tool if T_tool_tip is None else before.T_reference_tool @ T_tool_tip
    moved_mm = T_reference_tip.translation_mm - then.translation_mm
    age_s, own_s = max(0, age_ns) / NS_PER_S, bounds_ns[0] / NS_PER_S
    unsure_s2 = age_s * own_s + sum((bound_ns / NS_PER_S) ** 2 for bound_ns in bounds_ns) / 3.0
    seconds2 = age_s * age_s + unsure_s2
    baseline_s = (relative.capture_ns - before.capture_ns) / NS_PER_S
    velocity = moved_mm / baseline_s
    changed_mm2 = _DENSITY_MM2_S3 * seconds2 * (baseline_s + seconds2**0.5) / 3.0
    off = lag + age_s * velocity
    moved_mm2 = OFFSET_SHARE * np.multiply.outer(off, off) + unsure_s2 * np.multiply.outer(velocity, velocity)
    covariance_mm2: Floats = moved_mm2 + changed_mm2 * np.eye(3)
    return covariance_mm2


def turned(covariance_mm2: Floats | None, T_to_from: Transform) -> Floats | None:
    """A covariance ``(3, 3)`` along the axes of another frame."""
    if covariance_mm2 is None:
        return None
    along: Floats = T_to_from.rotation_matrix @ covariance_mm2 @ T_to_from.rotation_matrix.T
    return along


def added_up(parts: Sequence[Floats | None]) -> Floats | None:
    """The sum of independent covariances ``(3, 3)``, made symmetric; None if one of them is not known."""
    total = np.zeros((3, 3))
    for part in parts:
        if part is None:
            return None
        total += part
    return (total + total.T) / 2.0
