"""The patient of the ultrasound demo: the phantom on its belly, its tissues under the probe, and the probe itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from geometry.frames import PROBE, REFERENCE, STYLUS
from geometry.points import Floats
from navigation.simulation.operating_room import OperatingRoom, OperatingRoomConfig
from navigation.simulation.ultrasound.formation import UltrasoundSimulator
from navigation.simulation.ultrasound.patient_scan import PatientScan, ScannedPatient
from navigation.simulation.ultrasound.scan_path import CONVEX, ScanPath
from navigation.simulation.ultrasound.tissue import BONE, TissueGrid
from reconstruction.phantom.torso import TorsoPhantomSettings, make_torso_phantom

GEOMETRY = CONVEX
TRUE_LAG_MS = -42.0
_LANDMARKS = 8
# The lumbar spine of the phantom in `ct`, the back in front of it, and air.
_BOX_CT_MM: Floats = np.array([[-68.0, -175.0, -1365.0], [82.0, -35.0, -1210.0]])
INTO: Floats = np.array([0.0, -1.0, 0.0])  # LPS: from the back to the front
_FEET_MM, _HEAD_MM, _MIDDLE_MM, _BESIDE_MM = -1338.0, -1240.0, 5.0, 12.0
# Finer than the CT that the system is given, without its noise: what is true.
_TRUE = TorsoPhantomSettings(spacing_mm=(1.2, 1.2, 1.5), extent_mm=(164.0, 280.0, 300.0), noise_hu=0.0)


@dataclass(frozen=True, eq=False)
class ScannedBack:
    """The patient under the probe.

    Attributes:
        tissue: what beams meet.
        tissue_file: the same, for the process that shows the images.
        room: the room, in which the probe still wanders about.
    """

    tissue: TissueGrid
    tissue_file: Path
    room: OperatingRoomConfig

    def path(self, begins_s: float, period_s: float) -> ScanPath:
        """Over the vertebrae, to and fro, from a time in s on."""
        return ScanPath(self._faces(), np.array([1.0, 0.0, 0.0]), INTO, GEOMETRY, period_s, begins_s)

    def scanned(self, path: ScanPath) -> OperatingRoomConfig:
        """The room in which the probe takes that path."""
        scan = ScannedPatient(tissue=self.tissue_file, path=path, lag_ms=TRUE_LAG_MS, seed=self.room.seed)
        return replace(self.room, scan=scan)

    def landmarks_ct(self) -> list[Floats]:
        """Points of the vertebrae that a stylus reaches through the skin, ``(3,)`` each."""
        path, found = self.path(0.0, 16.0), []
        for number in range(_LANDMARKS):
            t_s = number + 0.5
            bone_px = self.scan(path).surface_px(t_s, BONE)
            pixel = bone_px[len(bone_px) * (1 + number % 4) // 5]
            found.append((path.T_ct_image_px(t_s) @ [*pixel, 0.0, 1.0])[:3])
        return found

    def scan(self, path: ScanPath) -> PatientScan:
        """What the probe truly shows on a path."""
        return PatientScan(self._simulator, path)

    @cached_property
    def _simulator(self) -> UltrasoundSimulator:
        return UltrasoundSimulator(self.tissue, GEOMETRY, seed=self.room.seed)

    def _faces(self) -> Floats:
        """Up on one side of the spinous processes, and down on the other."""
        up = np.linspace(_FEET_MM, _HEAD_MM, 16)
        lines = [np.column_stack([np.full(16, x), np.full(16, -40.0), z]) for x, z in self._sides(up)]
        return np.concatenate([self.tissue.skin_under(line, INTO) for line in lines])

    @staticmethod
    def _sides(up: Floats) -> list[tuple[float, Floats]]:
        return [(_MIDDLE_MM - _BESIDE_MM, up), (_MIDDLE_MM + _BESIDE_MM, up[::-1])]


def scanned_back(seed: int, folder: Path) -> ScannedBack:
    """The phantom's lumbar spine, for the room of this seed; its tissues are written into `folder`."""
    phantom = make_torso_phantom(_TRUE, np.random.default_rng([seed, 6]))
    tissue = TissueGrid.of_ct(phantom.ct, _BOX_CT_MM)
    tissue_file = folder / "tissue.npz"
    tissue.write(tissue_file)
    middle = np.array([_MIDDLE_MM, -110.0, 0.5 * (_FEET_MM + _HEAD_MM)])
    config = OperatingRoomConfig(seed=seed, centre_ct_mm=middle, tools=(REFERENCE, STYLUS, PROBE), prone=True)
    return ScannedBack(tissue, tissue_file, config)


def true_room(back: ScannedBack) -> OperatingRoom:
    """The true poses; only what scores a result may use them."""
    return OperatingRoom(back.room)
