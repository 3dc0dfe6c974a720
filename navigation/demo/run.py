"""Runs all stages of the demo, for ``surgnav demo`` and ``make demo``."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from case.case import Case, MadeBy
from case.errors import CaseError
from case.folder import MANIFEST
from case.levels import REFUSE
from case.manifest import Signature
from geometry import Clock, Surface
from geometry.clock import StageTimer
from geometry.extras import require_extras
from geometry.points import Floats
from navigation.demo.headset_program import Headset
from navigation.demo.streaming import StreamCheck, stream
from navigation.demo.subject import Subject, choose_subject
from navigation.demo.surgery import (
    BONE,
    SKIN_MARKER,
    SimulatedSurgeon,
    Surgery,
    SurgeryTruth,
    find_markers,
    operate,
    score,
    touch_bone,
)
from navigation.planning.targets import plan_bone_landmarks, plan_targets
from navigation.simulation.patient import SkinPoints
from reconstruction.pipeline import Reconstruction, reconstruct
from registration.record.accepted import AcceptedRegistration
from registration.record.attempt import Attempt
from registration.record.attempts import Circumstances, expected_after, keep_attempt, verdict_of, verifications
from registration.record.in_force import put_in_force
from registration.record.verify import record_verification, verify_planned
from registration.verdict.verdict import Verdict

SURGEON = "demo (simulated surgeon)"

Progress = Callable[[str, float], None]


@dataclass(frozen=True, kw_only=True)
class DemoSettings:
    """Settings of the demo.

    Attributes:
        out: folder for the case, the pictures and the phantom's CT; the case of an earlier demo there is replaced.
        ct: the CT to use instead of the demo's.
        offline: uses the phantom and downloads nothing.
        seed: determines the patient's pose, the noise and the errors of the surgeon's hand.
        stream_s: duration of the stream.
        headset: which client receives the stream.
    """

    out: Path
    ct: Path | None = None
    offline: bool = False
    seed: int = 1
    stream_s: float = 20.0
    headset: Headset = Headset.PYTHON


@dataclass(frozen=True, eq=False)
class DemoResult:
    """The results of all stages, for the screen, the pictures and the JSON."""

    settings: DemoSettings
    subject: Subject
    case_path: Path
    reconstruction: Reconstruction
    surfaces_ct: dict[str, Surface]
    surgery: Surgery
    verdict: Verdict
    truth: SurgeryTruth
    stream: StreamCheck
    seconds: dict[str, float]


def run_demo(
    settings: DemoSettings, clock: Clock, time: str, progress: Progress, warn: Callable[[str], None]
) -> DemoResult:
    """Runs all stages.

    Args:
        clock: measures the stages.
        time: the time that is written into the case, ISO 8601 with a time zone.
        progress: called with a stage and the share of it that is done.
        warn: called with warnings for a person.

    Raises:
        SurgNavError: a stage failed.
    """
    require_extras("registration", "reconstruction", "segmentation", "pictures")
    watch = StageTimer(clock, progress)
    settings.out.mkdir(parents=True, exist_ok=True)
    case_path = _free_case(settings.out / "case")
    subject = watch.run("ct", lambda: choose_subject(settings.ct, settings.offline, settings.out, settings.seed, warn))
    made = watch.run(
        "reconstruction",
        lambda: reconstruct(
            subject.ct_path,
            case_path,
            name="demo",
            time=time,
            clock=clock,
            progress=lambda stage, share: progress(f"reconstruction: {stage}", share),
        ),
    )
    case = Case.open(case_path)
    surfaces_ct = _approve_all(case, time)
    skin = watch.run("patient", lambda: subject.true_skin(made.scan))
    markers = subject.markers(skin)
    surgeon = SimulatedSurgeon(skin, settings.seed)
    surgery, verdict, accepted = watch.run(
        "registration", lambda: _operate(case, subject, surgeon, markers, surfaces_ct, settings.seed, time)
    )
    if accepted is None:
        warn(f"The registration is refused and not streamed: {'; '.join(verdict.reasons)}")
    truth = score(surgery, surgeon.room)
    approved = [(surface, case.state(name), SURGEON) for name, surface in surfaces_ct.items()]
    check = watch.run(
        "stream", lambda: stream(surgeon, surgery, approved, accepted, settings.stream_s, settings.headset, progress)
    )
    return DemoResult(
        settings, subject, case_path, made, surfaces_ct, surgery, verdict, truth, check, made_seconds(watch, made)
    )


def made_seconds(watch: StageTimer, made: Reconstruction) -> dict[str, float]:
    """Stage -> seconds, with the reconstruction's own stages in place of their sum."""
    stages = dict(watch.seconds)
    stages.pop("reconstruction")
    return {"ct": stages.pop("ct")} | dict(made.seconds) | stages


def _free_case(path: Path) -> Path:
    if (path / MANIFEST).is_file():
        shutil.rmtree(path)
    elif path.exists():
        raise CaseError(
            f"the path {path}, which is not the case of an earlier demo",
            "no file or folder there, or the case of an earlier demo",
            "choose another --out",
        )
    return path


def _approve_all(case: Case, time: str) -> dict[str, Surface]:
    """Approves every structure in the name of the simulated surgeon; the headset receives approved surfaces only."""
    for structure in case.structures():
        case.decide(structure, "approved", SURGEON, time)
    return {a.details["structure"]: case.read_surface(a.details["structure"]) for a in case.approved_surfaces()}


def _operate(
    case: Case,
    subject: Subject,
    surgeon: SimulatedSurgeon,
    markers: SkinPoints,
    surfaces_ct: dict[str, Surface],
    seed: int,
    time: str,
) -> tuple[Surgery, Verdict, AcceptedRegistration | None]:
    """Registers, stores the attempt in the case, verifies it on bone, and puts it into force unless it is refused."""
    landmarks_ct = find_markers(markers, seed)
    bone_ct = plan_bone_landmarks(surfaces_ct["bone"]) if "bone" in surfaces_ct else {}
    targets_ct = plan_targets(surfaces_ct) | dict(subject.targets_ct)
    said = dict.fromkeys(landmarks_ct, f"kind: {SKIN_MARKER}") | dict.fromkeys(bone_ct, f"kind: {BONE}")
    by_hand = MadeBy.surgnav(time, {"person": SURGEON})
    plans = (
        case.add_markups("landmarks", {**landmarks_ct, **bone_ct}, by_hand, descriptions=said).id,
        case.add_markups("targets", targets_ct, by_hand, kind="plan").id,
    )
    surgery = operate(surgeon, markers, landmarks_ct, targets_ct, surfaces_ct["body"], bone_ct=bone_ct)
    circumstances = Circumstances(
        person=SURGEON,
        time=time,
        measured_with="simulated tracker",
        surface="surfaces/body.glb",
        plans=plans,
        tip_error_rms_mm=surgery.pivot.expected_tip_error_rms_mm,
    )
    attempt = keep_attempt(case, surgery.measured, surgery.outcome, surgery.assumptions, circumstances)
    surgery = _verified(case, attempt, surgeon, surgery, bone_ct, time)
    verdict = verdict_of(case, attempt)
    if verdict.level == REFUSE:
        return surgery, verdict, None
    return surgery, verdict, put_in_force(case, attempt, SURGEON, time, consent=True)


def _verified(
    case: Case,
    attempt: Attempt,
    surgeon: SimulatedSurgeon,
    surgery: Surgery,
    bone_ct: Mapping[str, Floats],
    time: str,
) -> Surgery:
    """Verifies the attempt by touching bone, and updates the expected errors from the result."""
    tip_error_mm = surgery.pivot.expected_tip_error_rms_mm
    for name, point_ct in bone_ct.items() if attempt.result is not None else ():
        touched = touch_bone(surgeon, surgery, point_ct).point_reference_mm
        found = verify_planned(attempt, name, point_ct, touched, surgery.assumptions, tip_error_mm)
        record_verification(case, attempt, found, Signature(SURGEON, time))
    expected = expected_after(attempt, verifications(case, attempt.id))
    return surgery if expected is None else replace(surgery, expected=expected)
