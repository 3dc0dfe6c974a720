"""Runs the stages of the ultrasound demo, for ``surgnav demo --ultrasound``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from case.case import Case
from geometry import Clock, Surface
from geometry.clock import StageTimer
from geometry.extras import require_extras
from geometry.frames import STYLUS
from geometry.points import Floats
from navigation.demo.run import SURGEON, Progress, approve_all, free_case, made_seconds
from navigation.demo.subject import Subject, choose_subject
from navigation.demo.ultrasound.contours import ContourErrors, distances_mm, true_bone_ct
from navigation.demo.ultrasound.live import LiveCheck, scan_live
from navigation.demo.ultrasound.patient import TRUE_LAG_MS, ScannedBack, scanned_back
from navigation.demo.ultrasound.probe import calibrated_probe
from navigation.demo.ultrasound.registering import Registered, by_stylus, by_sweep
from navigation.demo.ultrasound.sweep import SWEEP_BEGINS_S, SWEEP_S, SweptFrame, sweep
from navigation.errors import DemoDataError
from navigation.room.instruments import instruments_of
from navigation.simulation.operating_room import OperatingRoomConfig, simulated_device
from navigation.simulation.ultrasound.tissue import BONE
from navigation.ultrasound.placing import ProbeInForce
from reconstruction.pipeline import Reconstruction, reconstruct
from registration.record.attempts import Circumstances

# What the surgery is about: on the vertebrae that are swept.
_TARGETS = ("pedicle_right", "vertebral_body")


@dataclass(frozen=True, kw_only=True)
class UltrasoundDemoSettings:
    """Settings of the ultrasound demo.

    Attributes:
        out: folder for the case, the rack and the pictures; the case of an earlier demo there is replaced.
        seed: determines the room, the noise and the errors of the hand.
        stream_s: duration of the live scan.
    """

    out: Path
    seed: int = 1
    stream_s: float = 20.0


@dataclass(frozen=True, eq=False)
class UltrasoundDemoResult:
    """The results of all stages, for the screen, the pictures and the JSON.

    Attributes:
        before, after: the registrations before and after the renewal.
        contours_before, contours_after: contours of the sweep against the true bone, by these; None without contours.
        truth_px: the true bone in each frame, ``(n, 2)`` in px.
    """

    settings: UltrasoundDemoSettings
    description: str
    case_path: Path
    made: Reconstruction
    bone_ct: Surface
    probe: ProbeInForce
    frames: list[SweptFrame]
    truth_px: list[Floats]
    before: Registered
    after: Registered
    contours_before: ContourErrors | None
    contours_after: ContourErrors | None
    live: LiveCheck
    seconds: dict[str, float]


def run_ultrasound_demo(
    settings: UltrasoundDemoSettings, clock: Clock, time: str, progress: Progress
) -> UltrasoundDemoResult:
    """Runs all stages.

    Args:
        clock: measures the stages.
        time: the time that is written into the case, ISO 8601 with a time zone.
        progress: called with a stage and the share of it that is done.

    Raises:
        SurgNavError: a stage failed.
    """
    require_extras("registration", "reconstruction", "segmentation", "pictures", "ultrasound")
    watch = StageTimer(clock, progress)
    settings.out.mkdir(parents=True, exist_ok=True)
    case_path = free_case(settings.out / "case")
    subject: Subject = watch.run("ct", lambda: _subject(settings))
    made: Reconstruction = watch.run(
        "reconstruction", lambda: _reconstruct(subject.ct_path, case_path, clock, time, progress)
    )
    case = Case.open(case_path)
    bone_ct = _bone_of(approve_all(case, time))
    targets_ct = {name: subject.targets_ct[name] for name in _TARGETS}
    about = targets_ct[_TARGETS[0]]
    back = watch.run("patient", lambda: scanned_back(settings.seed, settings.out))
    probe = watch.run("probe", lambda: calibrated_probe(back, settings.out / "rack", time))
    by = _circumstances(back.room, time)
    before = watch.run("registration", lambda: by_stylus(case, back, bone_ct, targets_ct, by))
    frames = watch.run("sweep", lambda: sweep(back, probe, lambda share: progress("sweep", share)))
    after = watch.run("renewal", lambda: by_sweep(case, back, frames, probe, bone_ct, targets_ct, by))
    live = watch.run("live", lambda: scan_live(back, probe, (before, after), about, settings.stream_s, progress))
    truth_px, off_before, off_after = _against_truth(back, frames, (before, after))
    return UltrasoundDemoResult(
        settings,
        subject.description,
        case_path,
        made,
        bone_ct,
        probe,
        frames,
        truth_px,
        before,
        after,
        off_before,
        off_after,
        live,
        made_seconds(watch, made),
    )


def _subject(settings: UltrasoundDemoSettings) -> Subject:
    return choose_subject(None, True, settings.out, settings.seed, lambda text: None)


def _circumstances(room: OperatingRoomConfig, time: str) -> Circumstances:
    return Circumstances(
        person=SURGEON,
        time=time,
        measured_with="simulated tracker",
        surface="surfaces/bone.glb",
        plans=(),
        instruments=instruments_of((simulated_device(room),), STYLUS),
    )


def _reconstruct(ct_path: Path, case_path: Path, clock: Clock, time: str, progress: Progress) -> Reconstruction:
    def show(stage: str, share: float) -> None:
        progress(f"reconstruction: {stage}", share)

    return reconstruct(ct_path, case_path, name="demo", time=time, clock=clock, progress=show)


def _bone_of(surfaces_ct: Mapping[str, Surface]) -> Surface:
    if "bone" not in surfaces_ct:
        raise DemoDataError("a phantom in which no bone was found", "its spine", "use another --seed")
    return surfaces_ct["bone"]


def _against_truth(
    back: ScannedBack, frames: list[SweptFrame], registrations: tuple[Registered, Registered]
) -> tuple[list[Floats], ContourErrors | None, ContourErrors | None]:
    """The true bone in each frame in px, and the contours against it by both registrations."""
    scan = back.scan(back.path(SWEEP_BEGINS_S, SWEEP_S))
    to_ct = [each.accepted.T_reference_ct.inverse() for each in registrations]
    truth_px: list[Floats] = []
    off_mm: tuple[list[Floats], list[Floats]] = ([], [])
    for frame in frames:
        at_s = (frame.placed.result.capture_ns or 0) / 1e9 + 1e-3 * TRUE_LAG_MS
        truth_px.append(scan.surface_px(at_s, BONE))
        points_px = np.concatenate([np.empty((0, 2)), *(each.points_px for each in frame.placed.result.contours)])
        placed_mm = frame.placed.place_mm(points_px)
        if placed_mm is not None:
            for T_ct_reference, off in zip(to_ct, off_mm, strict=True):
                off.append(distances_mm(T_ct_reference.apply(placed_mm), true_bone_ct(scan, at_s)))
    return truth_px, ContourErrors.of(off_mm[0]), ContourErrors.of(off_mm[1])
