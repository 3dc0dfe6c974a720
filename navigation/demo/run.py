"""The demo from the first stage to the last: ``surgnav demo`` and ``make demo``."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from geometry import Clock, Surface
from navigation.demo.headset_program import Headset
from navigation.demo.operation import Operation, OperationTruth, SimulatedSurgeon, find_markers, operate, score
from navigation.demo.streaming import StreamCheck, stream
from navigation.demo.subject import Subject, choose_subject
from navigation.planning import plan_targets
from navigation.pose_graph import AcceptedRegistration
from navigation.registering.records import Circumstances, keep_attempt, put_in_force
from navigation.simulation.patient import SkinPoints
from reconstruction.case import Case, MadeBy
from reconstruction.case_folder import MANIFEST
from reconstruction.errors import CaseError
from reconstruction.pipeline import PROGRAM, Reconstruction, reconstruct
from registration.verdict import REFUSE, Verdict

SURGEON = "demo (simulated surgeon)"

Progress = Callable[[str, float], None]


@dataclass(frozen=True, kw_only=True)
class DemoSettings:
    """What to run.

    Attributes:
        out: folder for the case, the pictures and the phantom's CT; a case of an earlier demo there is replaced.
        ct: a CT of one's own; `offline`: the phantom, without asking the network.
        seed: decides the patient's pose, the noise and the surgeon's hand.
        stream_s: how long the client listens.
        headset: which program that is.
    """

    out: Path
    ct: Path | None = None
    offline: bool = False
    seed: int = 1
    stream_s: float = 20.0
    headset: Headset = Headset.PYTHON


@dataclass(frozen=True, eq=False)
class DemoResult:
    """Everything the demo did, for the screen, the pictures and the JSON."""

    settings: DemoSettings
    subject: Subject
    case_path: Path
    reconstruction: Reconstruction
    surfaces_ct: dict[str, Surface]
    operation: Operation
    verdict: Verdict
    truth: OperationTruth
    stream: StreamCheck
    seconds: dict[str, float]


def run_demo(
    settings: DemoSettings, clock: Clock, time: str, progress: Progress, warn: Callable[[str], None]
) -> DemoResult:
    """Runs all stages.

    Args:
        clock: measures the stages.
        time: ISO 8601 with a time zone, for the case.
        progress: called with a stage and the share done.
        warn: called with what a person should know.

    Raises:
        SurgNavError: whatever a stage refuses, with what to do.
    """
    watch = _StopWatch(clock, progress)
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
    operation, verdict, accepted = watch.run(
        "registration", lambda: _operate(case, subject, surgeon, markers, surfaces_ct, settings.seed, time)
    )
    if accepted is None:
        warn(f"The registration is refused and not streamed: {'; '.join(verdict.reasons)}")
    truth = score(operation, surgeon.room)
    approved = [(surface, case.state(name), SURGEON) for name, surface in surfaces_ct.items()]
    check = watch.run(
        "stream", lambda: stream(surgeon, operation, approved, accepted, settings.stream_s, settings.headset, progress)
    )
    return DemoResult(
        settings, subject, case_path, made, surfaces_ct, operation, verdict, truth, check, made_seconds(watch, made)
    )


def made_seconds(watch: _StopWatch, made: Reconstruction) -> dict[str, float]:
    """Stage -> seconds, with the reconstruction's own stages in place of their sum."""
    stages = dict(watch.seconds)
    stages.pop("reconstruction")
    return {"ct": stages.pop("ct")} | dict(made.seconds) | stages


def _free_case(path: Path) -> Path:
    if (path / MANIFEST).is_file():
        shutil.rmtree(path)
    elif path.exists():
        raise CaseError(f"{path}, which is no case of an earlier demo", "a free place", "choose another --out")
    return path


def _approve_all(case: Case, time: str) -> dict[str, Surface]:
    """The simulated surgeon approves every structure, by name; the headset receives nothing else."""
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
) -> tuple[Operation, Verdict, AcceptedRegistration | None]:
    """Registers, keeps the attempt, and puts it in force unless it is refused."""
    landmarks_ct = find_markers(markers, seed)
    targets_ct = plan_targets(surfaces_ct) | dict(subject.targets_ct)
    by_hand = MadeBy(program=PROGRAM, version=version(PROGRAM), time=time, parameters={"person": SURGEON})
    plans = (
        case.add_markups("landmarks", landmarks_ct, by_hand).id,
        case.add_markups("targets", targets_ct, by_hand, kind="plan").id,
    )
    operation = operate(surgeon, markers, landmarks_ct, targets_ct, surfaces_ct["body"])
    circumstances = Circumstances(
        person=SURGEON,
        time=time,
        measured_with="simulated tracker",
        surface="surfaces/body.glb",
        plans=plans,
        tip_error_rms_mm=operation.pivot.expected_tip_error_rms_mm,
    )
    attempt = keep_attempt(case, operation.measured, operation.outcome, operation.assumptions, circumstances)
    if attempt.verdict.level == REFUSE:
        return operation, attempt.verdict, None
    return operation, attempt.verdict, put_in_force(case, attempt, SURGEON, time, consent=True)


class _StopWatch:
    def __init__(self, clock: Clock, progress: Progress) -> None:
        self._clock = clock
        self._progress = progress
        self.seconds: dict[str, float] = {}

    def run(self, stage: str, work: Callable[[], Any]) -> Any:
        self._progress(stage, 0.0)
        start_ns = self._clock.now_ns()
        result = work()
        self.seconds[stage] = (self._clock.now_ns() - start_ns) / 1e9
        self._progress(stage, 1.0)
        return result
