"""A simulated tracker with a simulated hand, to rehearse a registration without a patient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from geometry import Surface
from geometry.frames import REFERENCE, STYLUS
from geometry.points import Floats
from navigation.clock import PacedClock
from navigation.devices.wrapped_tracker import WrappedTracker
from navigation.simulation.actions import Action, Touch, pivot_near
from navigation.simulation.operating_room import (
    DRIVER,
    SPHERES_MM,
    OperatingRoom,
    OperatingRoomConfig,
    open_simulated_tracker,
)
from navigation.simulation.patient import PatientSkin, shaft_directions
from navigation.simulation.ultrasound.patient_scan import CaseTissue, ScannedPatient
from navigation.simulation.ultrasound.scan_path import CONVEX, ScanPath

TOUCH_SD_MM = 0.3
# Duration of one pass of the stylus over the skin, and amplitude of the table's motion.
SWEEP_S = 25.0
TABLE_MOTION_MM = 15.0
# The probe from one end of what it scans to the other and back: where along the body, and the way into it (LPS).
SCAN_S = 16.0
_SCANNED, _FACES = (0.38, 0.62), 24
_INTO_CT: Floats = np.array([0.0, 1.0, 0.0])
_BESIDE_MM = 55.0  # as far as a wide beam reaches, tilted
# Developers of clients need to see hidden tools: the driver is hidden for 1 s in 10, the reference for 0.5 s in 30.
OCCLUSIONS = {DRIVER: (10.0, 6.0, 7.0), REFERENCE: (30.0, 20.0, 20.5)}


class RehearsedTracker(WrappedTracker):
    """Satisfies `Tracker` and `Hand`: every request begins a new action, which the same simulated camera watches.

    Args:
        read_skin_ct: reads the simulated patient's skin in ``ct``, which the stylus touches and sweeps.
        seed: determines the patient's pose, the tracker's noise and the hand's errors.
        clock: paces the frames.
    """

    def __init__(self, read_skin_ct: Callable[[], Surface], seed: int, clock: PacedClock) -> None:
        self._skin = PatientSkin(read_skin_ct())
        self._clock = clock
        self._rng = np.random.default_rng([seed, 4])
        self._config = OperatingRoomConfig(seed=seed, centre_ct_mm=self._skin.centre_mm, tools=(REFERENCE, STYLUS))
        self.room = OperatingRoom(self._config)
        super().__init__(open_simulated_tracker(self._config, clock))
        self._actions = 0

    def streaming(self, start_ns: int) -> OperatingRoomConfig:
        """Settings of the same room with all tools: the stylus sweeps over the skin, some tools are hidden at times.

        Args:
            start_ns: time at which the motions begin, on the tracker's clock.
        """
        return replace(
            self._config,
            tools=tuple(SPHERES_MM),
            action=self._skin.sweep(self.room.towards_camera_ct, SWEEP_S),
            epoch_ns=start_ns,
            table_motion_mm=TABLE_MOTION_MM,
            occlusions=OCCLUSIONS,
        )

    def scanned(self, case: Path, lag_ms: float) -> ScannedPatient:
        """The probe that goes to and fro along the front of the body, and shows the CT of the case.

        Args:
            case: its folder.
            lag_ms: an image stamped t shows what the probe saw at t plus this.
        """
        faces = self._skin.reach(np.zeros(_FACES), np.linspace(*_SCANNED, _FACES)).points_ct_mm
        low = faces.min(axis=0) - [_BESIDE_MM, _BESIDE_MM, _BESIDE_MM]
        high = faces.max(axis=0) + [_BESIDE_MM, CONVEX.depth_mm + _BESIDE_MM, _BESIDE_MM]
        path = ScanPath(faces, np.array([1.0, 0.0, 0.0]), _INTO_CT, CONVEX, SCAN_S)
        tissue = CaseTissue(case, (tuple(low.tolist()), tuple(high.tolist())))
        return ScannedPatient(tissue=tissue, path=path, lag_ms=lag_ms, seed=self._config.seed)

    def pivot(self) -> None:
        self._begin(pivot_near(self.room.T_tracker_ct.apply(self._skin.centre_mm)))

    def touch(self, point_ct_mm: Floats) -> None:
        outward = point_ct_mm - self._skin.centre_mm
        outward = outward * (1.0, 1.0, 0.0) / np.linalg.norm(outward[:2])
        shaft = shaft_directions(outward[None, :], self.room.towards_camera_ct)[0]
        self._begin(Touch(point_ct_mm + self._rng.normal(scale=TOUCH_SD_MM, size=3), shaft))

    def sweep(self, duration_s: float) -> None:
        self._begin(self._skin.sweep(self.room.towards_camera_ct, duration_s))

    def touch_surface(self) -> None:
        angle_deg, height = self._rng.uniform(-40.0, 40.0), self._rng.uniform(0.3, 0.7)
        place = self._skin.reach(np.array([angle_deg]), np.array([height]))
        self.touch(place.points_ct_mm[0])

    def _begin(self, action: Action) -> None:
        self._actions += 1
        config = replace(self._config, action=action, epoch_ns=self._clock.now_ns(), noise_seed=self._actions)
        self._tracker = open_simulated_tracker(config, self._clock)
        self._tracker.start()
