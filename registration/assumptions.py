"""What a registration takes for granted about the errors, as one frozen object that is kept with every attempt."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from registration.landmarks.fit import LandmarkSettings
from registration.surface.refine import SurfaceFitSettings
from registration.uncertainty.expected_error import PoseUncertainty
from registration.uncertainty.mobility import BARE_SKIN, BONE, SKIN_MARKER, LandmarkKind, Mobility
from registration.uncertainty.shared_errors import SharedErrors
from registration.verdict.verdict import VerdictSettings
from registration.verdict.verification import VerificationSettings


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What is taken for granted about the errors. The verdict is worth what these are worth.

    Attributes:
        landmark_fle_rms_mm: RMS length of the 3-D error of a landmark: picked in the CT, touched, tracked.
        skin_offset_sd_mm: how far swept skin may lie beside the segmented one, everywhere.
        skin_rms_mm: how far all skin together may have moved against the body since the CT, RMS.
        skin_marker, bare_skin: how far landmarks on the skin may have moved besides
            (`registration/uncertainty/mobility.py`).
        scale_sd: standard deviation of the CT's scale (spacing, table feed, gantry).
        tracker_shift_mm, tracker_turn_rad: the tracker's distortion over the field of operation, RMS.
        tip_rms_mm: error of the tip, which all measurements share; a calibration that is worse counts instead. One that
            is better does not: it tells nothing about a tip that was bent since.
        verdict, verification: where the lines are drawn, and what a verification touch is worth.
        search_seed: of the search for a pose without landmarks, so that the same points give the same result.
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
    search_seed: int = 1

    def to_json(self) -> dict[str, Any]:
        """With the settings of the solvers, for the record."""
        settings = asdict(self) | {"landmarks": asdict(self.landmarks), "surface": asdict(self.surface)}
        plain: dict[str, Any] = json.loads(json.dumps(settings))  # JSON knows no tuples
        return plain

    @property
    def landmarks(self) -> LandmarkSettings:
        return LandmarkSettings(fle_rms_mm=self.landmark_fle_rms_mm)

    def mobility(self, kind: LandmarkKind) -> Mobility:
        """Of landmarks of this kind."""
        return {"bone": BONE, "skin_marker": self.skin_marker, "bare_skin": self.bare_skin}[kind]

    def fle_of(self, kind: LandmarkKind) -> float:
        """RMS error in mm of one landmark of this kind, what it shares with others left out."""
        return math.hypot(self.landmark_fle_rms_mm, self.mobility(kind).own_mm)

    def verification_of(self, kind: LandmarkKind) -> VerificationSettings:
        """What a touch of such a landmark is worth."""
        own_mm = math.hypot(self.verification.fle_rms_mm, self.mobility(kind).own_mm)
        return replace(self.verification, fle_rms_mm=own_mm)

    def shared(self, kinds: Sequence[LandmarkKind], swept_skin: bool) -> SharedErrors:
        """What landmarks of these kinds and the sweep have in common."""
        return SharedErrors(
            scale_sd=self.scale_sd,
            skin_rms_mm=self.skin_rms_mm,
            slide_rms_mm=max((self.mobility(kind).slide_mm for kind in kinds), default=0.0),
            landmarks_on_skin=tuple(kind != "bone" for kind in kinds),
            surface_on_skin=swept_skin,
        )

    @property
    def surface(self) -> SurfaceFitSettings:
        return SurfaceFitSettings(landmark_fle_rms_mm=self.landmark_fle_rms_mm, offset_sd_mm=self.skin_offset_sd_mm)


def with_tracker(uncertainty: PoseUncertainty, assumptions: Assumptions) -> PoseUncertainty:
    """With the tracker's distortion, which all measurements share."""
    return uncertainty.with_common_error(assumptions.tracker_shift_mm, assumptions.tracker_turn_rad)
