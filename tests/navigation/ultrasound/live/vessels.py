"""A placed frame with one vessel, whose place is worked out by hand: it shows the instant `SHOWS_NS`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from navigation.ultrasound.live.placed_frame import PlacedFrame
from navigation.ultrasound.live.placing_timeline import PlacingTimeline
from reconstruction.ultrasound.contours import Contour
from registration.record.accepted import AcceptedRegistration, RegistrationUncertainty
from tests.navigation.ultrasound.live.probes import LAG_S, MS, SIZE_PX, T_REFERENCE_CT, patient, probe_in_force, told
from tests.navigation.ultrasound.results import pixels, result, vessel

SHOWS_NS = 500 * MS
REGISTERED = AcceptedRegistration(
    T_REFERENCE_CT,
    "r-0001",
    1.0,
    "accept",
    "Dr Test",
    RegistrationUncertainty(np.diag([4e-6] * 3 + [0.1] * 3 + [0.0]), np.array([100.0, 0.0, 300.0])),
)


def timeline(*, registered: bool = True) -> PlacingTimeline:
    line = PlacingTimeline(probe_in_force())
    own = np.diag([1e-6] * 3 + [0.01] * 3).tobytes()
    line.note([replace(told(at_ms * MS), own_noise=own) for at_ms in range(0, 701, 10)])
    if registered:
        line.note([patient()])
        line.registration = REGISTERED
    return line


def placed(*contours: Contour, registered: bool = True) -> PlacedFrame:
    capture_ns = SHOWS_NS - round(LAG_S * 1e9)
    shown = result(1, capture_ns, pixels=pixels(size=SIZE_PX[::-1]), contours=contours or (vessel(),))
    return timeline(registered=registered).place(shown)
