"""When a tip is held still: the limit on how far a hand may tremble while a landmark is taken."""

from __future__ import annotations

import numpy as np
import pytest

from geometry import Transform
from geometry.frames import REFERENCE, STYLUS
from navigation.acquisition.collect import AcquisitionSettings, collect_touch
from navigation.devices.tracker import TrackerFrame
from navigation.errors import AcquisitionError
from tests.navigation.live.harness import MS, TOOLS, seen

T_STYLUS_TIP = Transform(np.eye(4), STYLUS, "stylus_tip")


class Trembling:
    """A tip at 50 mm that is now so far to one side, now to the other: its RMS spread is that distance."""

    tools = TOOLS
    rate_hz = 100.0

    def __init__(self, by_mm: float) -> None:
        self._by_mm = by_mm
        self._number = 0

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def next_frame(self, timeout_ns: int) -> TrackerFrame:
        self._number += 1
        x_mm = 50.0 + (self._by_mm if self._number % 2 else -self._by_mm)
        tools = {REFERENCE: seen(REFERENCE), STYLUS: seen(STYLUS, x_mm)}
        return TrackerFrame(self._number, self._number * 10 * MS, tools)


def test_a_tremor_of_half_a_millimetre_is_averaged_away() -> None:
    touch = collect_touch(Trembling(0.5), T_STYLUS_TIP)
    np.testing.assert_allclose(touch.point_reference_mm, [50.0, 0.0, 0.0], atol=1e-9)
    assert touch.spread_rms_mm == pytest.approx(0.5)
    assert touch.n_frames == 60  # 0.6 s at 100 Hz


def test_a_tip_that_moves_by_a_millimetre_is_not_held_still() -> None:
    with pytest.raises(AcquisitionError, match=r"spread of 1\.00 mm"):
        collect_touch(Trembling(1.0), T_STYLUS_TIP, AcquisitionSettings(touch_timeout_s=2.0))
