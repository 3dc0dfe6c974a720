"""The simulated patient under the probe: what each image shows, where it truly lies, and what is true of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from case.case import Case
from geometry.extras import from_extra
from geometry.points import Floats
from navigation.devices.ultrasound.source import GreyPixels
from navigation.simulation.ultrasound.formation import UltrasoundSimulator
from navigation.simulation.ultrasound.scan_path import ScanPath
from navigation.simulation.ultrasound.tissue import Classes, Tissue, TissueGrid


@dataclass(frozen=True, eq=False)
class PatientScan:
    """Images at any time in s, the same at the same time; a source shows them (`SimulatedImages`).

    Attributes:
        simulator: of the patient and the probe.
        path: that the probe takes.
    """

    simulator: UltrasoundSimulator
    path: ScanPath

    def image(self, t_s: float) -> GreyPixels:
        """What the probe sees then."""
        return self.simulator.image(self.path.T_ct_image_px(t_s), seed=round(t_s * 1e6) % 2**32)

    def labels(self, t_s: float) -> Classes:
        """Number of the true tissue at each pixel, as `UltrasoundSimulator.labels`."""
        return self.simulator.labels(self.path.T_ct_image_px(t_s))

    def surface_px(self, t_s: float, tissue: Tissue) -> Floats:
        """Where beams truly first meet a tissue, ``(n, 2)`` in px."""
        return self.simulator.surface_px(self.path.T_ct_image_px(t_s), tissue)


@dataclass(frozen=True)
class CaseTissue:
    """The tissues of a case's CT, read where they are needed: no copy of the patient is left anywhere.

    Attributes:
        case: its folder.
        corners_ct_mm: of the box that is scanned, as tuples.
    """

    case: Path
    corners_ct_mm: tuple[tuple[float, ...], ...]

    def read(self) -> TissueGrid:
        """Reads the CT.

        Raises:
            SurgNavError: no case, or a CT that is not there or not the one that the case was made from.
        """
        with from_extra("reconstruction"):
            from reconstruction.in_case import read_ct

        return TissueGrid.of_ct(read_ct(Case.open(self.case)).volume, np.array(self.corners_ct_mm))


@dataclass(frozen=True, kw_only=True, eq=False)
class ScannedPatient:
    """A `PatientScan` that can be pickled, for the process that shows its images; it reads the tissues when it must.

    Attributes:
        tissue: file of the tissues, as `TissueGrid.write` writes it; or those of a case.
        path: that the probe takes.
        lag_ms: an image stamped t shows what the probe saw at t plus this.
        rate_hz: images a second.
        seed: of the scatterers.
    """

    tissue: Path | CaseTissue
    path: ScanPath
    lag_ms: float
    rate_hz: float = 30.0
    seed: int = 0

    @cached_property
    def scan(self) -> PatientScan:
        tissue = self.tissue.read() if isinstance(self.tissue, CaseTissue) else TissueGrid.read(self.tissue)
        return PatientScan(UltrasoundSimulator(tissue, self.path.geometry, seed=self.seed), self.path)

    def image(self, t_s: float) -> GreyPixels:
        """What the probe sees then."""
        return self.scan.image(t_s)
