"""A frame that comes again, or late, is no sample of a touch or a sweep."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from geometry import Transform
from geometry.frames import REFERENCE, STYLUS
from navigation.acquisition.collect import AcquisitionSettings, collect_poses, collect_sweep, collect_touch
from navigation.devices.tracker import TrackerFrame
from navigation.errors import AcquisitionError
from tests.navigation.live.harness import MS, TOOLS, seen

PERIOD_NS = 10 * MS
T_STYLUS_TIP = Transform(np.eye(4), STYLUS, "stylus_tip")


def moving(number: int) -> TrackerFrame:
    """A stylus that moves by 1 mm from frame to frame."""
    return TrackerFrame(number, number * PERIOD_NS, {REFERENCE: seen(REFERENCE), STYLUS: seen(STYLUS, float(number))})


class Repeating:
    """A driver that hands out each frame several times, and after each an older one."""

    tools = TOOLS
    rate_hz = 100.0

    def __init__(self, times: int, last: int = 10**9) -> None:
        self._frames = (moving(max(1, number - back)) for number in itertools.count(1) for back in (*[0] * times, 5))
        self._last = last

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        return moving(min(next(self._frames).sequence, self._last))


def test_a_moving_tip_is_not_still_because_its_frame_comes_again() -> None:
    settings = AcquisitionSettings(hold_s=0.1, touch_timeout_s=0.5)
    with pytest.raises(AcquisitionError, match="spread of 2"):  # ten frames over 9 mm
        collect_touch(Repeating(20), T_STYLUS_TIP, settings)


def test_a_sweep_has_each_frame_once_and_in_order() -> None:
    swept = collect_sweep(Repeating(3), T_STYLUS_TIP, 0.5)
    np.testing.assert_array_equal(swept.points_reference_mm[:, 0], np.arange(1.0, 51.0))
    poses = collect_poses(Repeating(3), STYLUS, 0.3)
    np.testing.assert_array_equal([pose.translation_mm[0] for pose in poses], np.arange(1.0, 31.0))


def test_a_tracker_that_hangs_on_its_last_frame_has_failed() -> None:
    with pytest.raises(AcquisitionError, match=r"no new frame .* \(only frame 7 again, or older ones\)"):
        collect_sweep(Repeating(2, last=7), T_STYLUS_TIP, 0.5)
