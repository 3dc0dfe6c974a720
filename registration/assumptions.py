"""What a registration assumes about its errors, as one frozen object that is kept with every attempt."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from registration.landmarks.fit import LandmarkSettings
from registration.surface.bone_sweep import SweepErrors
from registration.surface.refine import SurfaceFitSettings
from registration.uncertainty.expected_error import PoseUncertainty
from registration.uncertainty.mobility import BARE_SKIN, BONE, SKIN_MARKER, LandmarkKind, Mobility
from registration.uncertainty.shared_errors import SharedErrors
from registration.verdict.verdict import VerdictSettings
from registration.verdict.verification import VerificationSettings


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What is assumed about the errors. The expected error and the verdict are only as good as these numbers.

    Attributes:
        landmark_fle_rms_mm: FLE: RMS length of the 3-D error of a landmark, picked in the CT, touched and tracked.
        skin_offset_sd_mm: standard deviation of an offset between swept and segmented skin that is the same everywhere.
        skin_rms_mm: RMS motion of the whole skin against the body since the CT.
        skin_marker, bare_skin: additional motion of landmarks on the skin (`uncertainty/mobility.py`).
        scale_sd: relative standard deviation of the CT's scale (spacing, table feed, gantry).
        tracker_shift_mm, tracker_turn_rad: the tracker's distortion over the surgical field, RMS shift and rotation.
        tip_rms_mm: RMS error of the stylus tip, which all measurements share. A larger error from the tip's calibration
            replaces it. A smaller one does not: the tip may have been bent since it was calibrated.
        verdict, verification: limits of the verdict, and the errors of a verification touch.
        ultrasound: errors of a sweep of ultrasound over bone.
        search_seed: seed of the search for a pose without landmarks: the same points give the same result.
    """

    landmark_fle_rms_mm: float = 0.8
    skin_offset_sd_mm: float = 1.0
    skin_rms_mm: float = 1.5
    skin_marker: Mobility = SKIN_MARKER
    bare_skin: Mobility = BARE_SKIN
    scale_sd: float = 0.003
    tracker_shift_mm: float = 0.25
    tracker_turn_rad: float = 1e-3
    tip_rms_mm: float = 0.25
    verdict: VerdictSettings = field(default_factory=VerdictSettings)
    verification: VerificationSettings = field(default_factory=VerificationSettings)
    ultrasound: SweepErrors = field(default_factory=SweepErrors)
    search_seed: int = 1

    def to_json(self) -> dict[str, Any]:
        """All values as JSON, including the settings of the solvers that follow from them."""
        settings = asdict(self) | {"landmarks": asdict(self.landmarks), "surface": asdict(self.surface)}
        plain: dict[str, Any] = json.loads(json.dumps(settings))  # JSON knows no tuples
        return plain

    @property
    def landmarks(self) -> LandmarkSettings:
        """Settings of the landmark registration."""
        return LandmarkSettings(fle_rms_mm=self.landmark_fle_rms_mm)

    def mobility(self, kind: LandmarkKind) -> Mobility:
        """How far landmarks of this kind may have moved since the CT."""
        return {"bone": BONE, "skin_marker": self.skin_marker, "bare_skin": self.bare_skin}[kind]

    def fle_of(self, kind: LandmarkKind) -> float:
        """FLE, RMS in mm, of one landmark of this kind, without the errors that it shares with others."""
        return math.hypot(self.landmark_fle_rms_mm, self.mobility(kind).own_mm)

    def verification_of(self, kind: LandmarkKind) -> VerificationSettings:
        """Settings for a verification touch of a landmark of this kind."""
        own_mm = math.hypot(self.verification.fle_rms_mm, self.mobility(kind).own_mm)
        return replace(self.verification, fle_rms_mm=own_mm)

    def shared(self, kinds: Sequence[LandmarkKind], swept_skin: bool) -> SharedErrors:
        """The errors that landmarks of these kinds share, with the sweep if that is of the skin."""
        return SharedErrors(
            scale_sd=self.scale_sd,
            skin_rms_mm=self.skin_rms_mm,
            slide_rms_mm=max((self.mobility(kind).slide_mm for kind in kinds), default=0.0),
            landmarks_on_skin=tuple(kind != "bone" for kind in kinds),
            surface_on_skin=swept_skin,
        )

    @property
    def surface(self) -> SurfaceFitSettings:
        """Settings of the surface registration."""
        return SurfaceFitSettings(landmark_fle_rms_mm=self.landmark_fle_rms_mm, offset_sd_mm=self.skin_offset_sd_mm)


def with_tracker(uncertainty: PoseUncertainty, assumptions: Assumptions) -> PoseUncertainty:
    """Adds the tracker's distortion, an error that all measurements share."""
    return uncertainty.with_common_error(assumptions.tracker_shift_mm, assumptions.tracker_turn_rad)
