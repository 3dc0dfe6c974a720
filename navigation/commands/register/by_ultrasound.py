"""``surgnav register --ultrasound``: a registration renewed by the bone of tracked ultrasound, proposed and shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from case.levels import ACCEPT, CHECK, REFUSE
from geometry import Transform
from geometry.extras import require_extras
from geometry.frames import REFERENCE
from geometry.points import Floats
from navigation.acquisition.probe.live import LiveFrames
from navigation.acquisition.probe.recording import ProbeRecording
from navigation.commands.calibrate.live import collect_live, opened_with_images
from navigation.commands.calibrate.source import tools_of
from navigation.commands.register.command import RegisterRequest
from navigation.commands.register.keyboard import Keys
from navigation.commands.register.run import write_outcome
from navigation.commands.register.screens import name_column, plain, show_attempt
from navigation.devices.driver import Role
from navigation.pictures.renewal import RenewalPictureData, renewal_picture
from navigation.room.read_room import read_room
from navigation.room.room import Room
from navigation.ultrasound.live.bone import present_start, probe_map, propose_renewal
from navigation.ultrasound.live.bone_collecting import BoneCollecting
from navigation.ultrasound.placing import ProbeInForce
from registration.errors import RegisteringError
from registration.measurements import Measured, TouchedPoint
from registration.record.advice import advise
from registration.record.attempt import Attempt
from registration.record.in_force import put_in_force
from registration.record.plan import RegistrationPlan, open_plan
from registration.record.point_files import read_touched_or_unordered
from registration.register import register
from registration.renewal import Start

ROOM_FILE = ".toml"


def run_by_ultrasound(
    request: RegisterRequest, now: Callable[[], str], console: Console, open_keys: Callable[[], Keys]
) -> bool:
    """Proposes a registration, shows it with what it would move, and puts it in force if the person accepts.

    Returns:
        True if it was not refused.

    Raises:
        SurgNavError: whatever keeps it from beginning.
    """
    require_extras("ultrasound")
    room, recording = _source(request)
    probe = ProbeInForce.of(room.the_tool(Role.PROBE))
    files = {"landmarks": request.landmarks, "targets": request.targets}
    plan = open_plan(request.case, request.surface, files, request.person, now())
    start, touched = (present_start(plan.case), {}) if request.touched is None else _by_landmarks(plan, request.touched)
    collecting = BoneCollecting(probe)
    if recording is None:
        _collect_live(collecting, room, probe, console)
    else:
        for frame in ProbeRecording(recording, collecting.markers).frames():
            collecting.add(frame)
    console.print(f"{probe.name}: {collecting.advice().doubt}; from {plain(start.words)}", highlight=False)
    by = (request.person, now(), room.name if recording is None else recording.name)
    with console.status("computing"):
        attempt, renewal = propose_renewal(plan, collecting.tracked(), probe_map(probe), start, by, touched)
    show_attempt(attempt, attempt.verdict, (), advise(attempt, attempt.verdict, plan.landmarks_ct), console)
    if attempt.result is not None:
        _show_moves(start.T_reference_ct, attempt, plan.targets_ct, console)
        picture = plan.case.root / "registration" / f"{attempt.id}_ultrasound.png"
        _draw(picture, plan, start, attempt, renewal.swept_reference_mm)
        console.print(f"picture: {plain(str(picture))}", highlight=False)
        _decide(request, plan, attempt, now, console, open_keys)
    if request.json_file is not None:
        write_outcome(request.json_file, plan, attempt.to_json())
    return attempt.verdict.level != REFUSE


def _source(request: RegisterRequest) -> tuple[Room, Path | None]:
    """The room with the probe, and the recording; None for the room's own devices."""
    live = request.ultrasound is not None and request.ultrasound.suffix == ROOM_FILE
    room_file = request.ultrasound if live else request.room
    others = (request.sweep, request.tracker, request.room if live else None)
    if room_file is None or request.surface is None or any(other is not None for other in others):
        raise RegisteringError(
            f"ultrasound {'of a room' if live else 'of a recording'} with surface {request.surface!r} and room "
            f"{'-' if request.room is None else request.room.name}",
            "--surface for the bone; a recording with --room, for the probe's calibrations, or a room file by itself",
            "as in: surgnav register CASE --person NAME --surface vertebra_l3 --ultrasound a.igs.mha --room or.toml",
        )
    return read_room(room_file), None if live else request.ultrasound


def _by_landmarks(plan: RegistrationPlan, touched_file: Path) -> tuple[Start, Mapping[str, TouchedPoint]]:
    """The pose by touched landmarks alone, and these by name.

    Raises:
        RegisteringError: they give none.
    """
    touched, unordered = read_touched_or_unordered(touched_file)
    measured = Measured(plan.landmarks_ct, touched, targets_ct=plan.targets_ct, unordered=unordered, kinds=plan.kinds)
    outcome = register(measured, plan.surface, plan.assumptions, plan.field)
    if outcome.by_landmarks is None:
        raise RegisteringError(
            f"landmarks that give no start: {outcome.findings.failure}",
            "three touched landmarks or more",
            "touch them again",
        )
    made = outcome.by_landmarks
    start = Start(made.T_reference_ct, f"{len(made.names)} landmarks", outcome.uncertainty, made)
    return start, {**touched, **outcome.paired}


def _collect_live(collecting: BoneCollecting, room: Room, probe: ProbeInForce, console: Console) -> None:
    names = {probe.name: probe.name, REFERENCE: REFERENCE}
    with opened_with_images(tools_of(room, *names), room) as (running, images):
        live = LiveFrames(images, running.tracker, names)
        collect_live(
            collecting,
            live.next,
            running,
            console,
            title=f"bone by {probe.name}",
            note=lambda: live.why or images.ended,
            is_over=lambda: live.is_over,
        )


def _show_moves(before: Transform, attempt: Attempt, targets_ct: Mapping[str, Floats], console: Console) -> None:
    """What would move, and how far, if it came into force."""
    if attempt.result is None:
        return
    pose = attempt.result.pose.transform()
    middle_ct = pose.inverse().apply(attempt.result.pose.uncertainty().pivot_reference_mm)
    turn_deg = float(np.rad2deg((pose.rotation * before.rotation.inv()).magnitude()))
    table = Table(name_column("point"), "moves by", "left", "back", "head", title="What it would move")
    for name, point_ct in {"middle of the sweep": middle_ct, **targets_ct}.items():
        # Where the old pose shows what the new one has here: along the patient's axes (ct is LPS).
        moved_ct = pose.inverse().rotate(pose.apply(point_ct) - before.apply(point_ct))
        sides = (f"{value:+.1f}" for value in moved_ct)
        table.add_row(plain(name), f"{float(np.linalg.norm(moved_ct)):.1f} mm", *sides)
    table.caption = f"turned by {turn_deg:.1f} degrees"
    console.print(table)


def _draw(path: Path, plan: RegistrationPlan, start: Start, attempt: Attempt, swept_reference_mm: Floats) -> None:
    if attempt.result is None:
        return
    pose = attempt.result.pose.transform()
    data = RenewalPictureData(
        surface=plan.surface,
        swept_before_ct=start.T_reference_ct.inverse().apply(swept_reference_mm),
        swept_after_ct=pose.inverse().apply(swept_reference_mm),
        targets_ct=plan.targets_ct,
        p95_mm={name: target.p95_mm for name, target in attempt.result.expected.items()},
    )
    renewal_picture(data, path, title=f"{attempt.id} of '{plan.structure}' by ultrasound, from {start.words}")


def _decide(
    request: RegisterRequest,
    plan: RegistrationPlan,
    attempt: Attempt,
    now: Callable[[], str],
    console: Console,
    open_keys: Callable[[], Keys],
) -> None:
    """Puts it in force if its person says so: by an option beforehand, or by a key now."""
    level = attempt.verdict.level
    if level == REFUSE:
        return
    consent = request.accept_if == CHECK
    if request.accept_if is None:
        keys = open_keys()
        console.print("> [bold]a[/] accept   [bold]any other key[/] leave it as proposed", highlight=False)
        if keys.next() != "a":
            console.print(f"{attempt.id} is proposed and kept; what was in force stays so", highlight=False)
            return
        if level == CHECK:
            person = plain(request.person)
            console.print(f"{person}, do you consent all the same, knowing these reasons? [bold]y[/] yes")
            consent = keys.next() == "y"
            if not consent:
                return
    elif level not in (ACCEPT, request.accept_if):
        return
    accepted = put_in_force(plan.case, attempt, request.person, now(), consent=consent)
    console.print(f"[green]✓[/] {accepted.registration_id} is in force, accepted by {plain(accepted.accepted_by)}")
