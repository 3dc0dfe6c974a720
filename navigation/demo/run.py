"""Runs all stages of the demo, for ``surgnav demo`` and ``make demo``."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from case.case import Case
from case.errors import CaseError
from case.folder import MANIFEST
from geometry import Clock, Surface, SurgNavError
from geometry.clock import StageTimer
from geometry.extras import require_extras
from geometry.frames import REFERENCE
from geometry.points import Floats
from navigation.clock import MonotonicClock, VirtualClock
from navigation.demo.operation import DemoPlan, Operation, operate_in_case, plan
from navigation.demo.performance import perform
from navigation.demo.room_surgeon import COLLECTED, RoomSurgeon
from navigation.demo.settings import DemoSettings
from navigation.demo.streaming import StreamCheck, Watched, as_in_room, simulated_motion, stream
from navigation.demo.subject import Subject, choose_subject
from navigation.demo.surgery import SimulatedSurgeon, Surgery, SurgeryTruth, score
from navigation.devices.driver import Role
from navigation.devices.registry import driver_of
from navigation.devices.ultrasound.plus.write import write_transforms
from navigation.room.room import Room
from navigation.room.room_tracker import open_room
from navigation.simulation.operating_room import simulated_device
from navigation.simulation.scenario import read_scenario
from reconstruction.pipeline import Reconstruction, reconstruct
from registration.record.accepted import AcceptedRegistration
from registration.record.attempts import Circumstances
from registration.verdict.verdict import Verdict

SURGEON = "demo (simulated surgeon)"

Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class DemoResult:
    """The results of all stages, for the screen, the pictures and the JSON.

    Attributes:
        operation: None if nothing was registered.
        failure: why, in the words of the step that failed; empty if no step did.
        truth: None without a registration, or where nobody knows the truth.
    """

    settings: DemoSettings
    subject: Subject
    case_path: Path
    reconstruction: Reconstruction
    surfaces_ct: dict[str, Surface]
    targets_ct: Mapping[str, Floats]
    operation: Operation | None
    failure: str
    truth: SurgeryTruth | None
    stream: StreamCheck
    seconds: dict[str, float]

    @property
    def surgery(self) -> Surgery | None:
        return None if self.operation is None else self.operation.surgery

    @property
    def verdict(self) -> Verdict | None:
        return None if self.operation is None else self.operation.verdict


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
    case_path = free_case(settings.out / "case")
    subject, made = _reconstruct(settings, case_path, clock, time, watch, progress, warn)
    case = Case.open(case_path)
    surfaces_ct = approve_all(case, time)
    skin = watch.run("patient", lambda: subject.true_skin(made.scan))
    planned = plan(subject, subject.markers(skin), surfaces_ct, settings.seed)
    surgeon = SimulatedSurgeon(skin, settings.seed)
    _record(settings, planned, SimulatedSurgeon(skin, settings.seed), watch)
    by = Circumstances(
        person=SURGEON, time=time, measured_with=settings.measured_with, surface="surfaces/body.glb", plans=()
    )
    operation, failure = watch.run(
        "registration",
        lambda: _operate(case, planned, surgeon, surfaces_ct["body"], by, settings.devices, progress),
    )
    _warn_of(operation, failure, warn)
    accepted, surgery = (None, None) if operation is None else (operation.accepted, operation.surgery)
    truth = score(surgery, surgeon.room) if surgery is not None and settings.scored else None
    approved = [(surface, case.state(name), SURGEON) for name, surface in surfaces_ct.items()]
    check = watch.run("stream", lambda: _stream(settings, surgeon, surgery, approved, accepted, progress))
    seconds = made_seconds(watch, made)
    return DemoResult(
        settings, subject, case_path, made, surfaces_ct, planned.targets_ct, operation, failure, truth, check, seconds
    )


def _stream(
    settings: DemoSettings,
    surgeon: SimulatedSurgeon,
    surgery: Surgery | None,
    approved: Sequence[tuple[Surface, str, str]],
    accepted: AcceptedRegistration | None,
    progress: Progress,
) -> StreamCheck:
    seconds, headset = settings.stream_s, settings.headset
    return stream(lambda: _watched(settings, surgeon), surgery, approved, accepted, seconds, headset, progress)


def _watched(settings: DemoSettings, surgeon: SimulatedSurgeon) -> Watched:
    if settings.devices is not None:
        return as_in_room(settings.devices)
    return simulated_motion(surgeon, None if settings.scenario is None else read_scenario(settings.scenario))


def _warn_of(operation: Operation | None, failure: str, warn: Callable[[str], None]) -> None:
    if failure:
        warn(f"Nothing is registered: {failure}")
    elif operation is not None and operation.accepted is None:
        warn(f"The registration is refused and not streamed: {'; '.join(operation.verdict.reasons)}")


def _operate(
    case: Case,
    planned: DemoPlan,
    simulated: SimulatedSurgeon,
    skin_ct: Surface,
    by: Circumstances,
    room: Room | None,
    progress: Progress,
) -> tuple[Operation | None, str]:
    """The operation, or why there is none; in a room, whose devices may not be there, that is no error of the demo."""
    if room is None:
        return operate_in_case(case, planned, simulated, skin_ct, by, (simulated_device(simulated.config),)), ""
    try:
        stylus = room.the_tool(Role.STYLUS).name
        devices = room.only((REFERENCE, stylus)).devices
        # What is on this program's own clock need not be waited for.
        own = not any(driver_of(device.driver).clocks for device in devices)
        tracker = open_room(devices, VirtualClock() if own else MonotonicClock())
        tracker.start()
        try:
            surgeon = RoomSurgeon(tracker, stylus, lambda step: progress(f"registration: {step}", 0.5))
            return operate_in_case(case, planned, surgeon, skin_ct, by, devices, COLLECTED), ""
        finally:
            tracker.stop()
    except SurgNavError as error:
        return None, str(error)


def _reconstruct(
    settings: DemoSettings,
    case_path: Path,
    clock: Clock,
    time: str,
    watch: StageTimer,
    progress: Progress,
    warn: Callable[[str], None],
) -> tuple[Subject, Reconstruction]:
    """The patient, and its surfaces as the system makes them from the CT alone."""
    subject: Subject = watch.run(
        "ct", lambda: choose_subject(settings.ct, settings.offline, settings.out, settings.seed, warn)
    )
    made: Reconstruction = watch.run(
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
    return subject, made


def _record(settings: DemoSettings, planned: DemoPlan, surgeon: SimulatedSurgeon, watch: StageTimer) -> None:
    """Writes the surgery of a surgeon who has done nothing yet, where that was asked for."""
    path = settings.record
    if path is not None:
        watch.run("recording", lambda: write_transforms(path, perform(surgeon, planned.markers, planned.bone_ct)))


def made_seconds(watch: StageTimer, made: Reconstruction) -> dict[str, float]:
    """Stage -> seconds, with the reconstruction's own stages in place of their sum."""
    stages = dict(watch.seconds)
    stages.pop("reconstruction")
    return {"ct": stages.pop("ct")} | dict(made.seconds) | stages


def free_case(path: Path) -> Path:
    """The path, without the case of an earlier demo.

    Raises:
        CaseError: something else is there.
    """
    if (path / MANIFEST).is_file():
        shutil.rmtree(path)
    elif path.exists():
        raise CaseError(
            f"the path {path}, which is not the case of an earlier demo",
            "no file or folder there, or the case of an earlier demo",
            "choose another --out",
        )
    return path


def approve_all(case: Case, time: str) -> dict[str, Surface]:
    """Approves every structure in the name of the simulated surgeon; the headset receives approved surfaces only."""
    for structure in case.structures():
        case.decide(structure, "approved", SURGEON, time)
    return {a.details["structure"]: case.read_surface(a.details["structure"]) for a in case.approved_surfaces()}
