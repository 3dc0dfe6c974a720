"""``surgnav register``: live at the patient, or from recorded files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from calibration.rack import keep
from calibration.streams import PoseStream
from case.levels import ACCEPT, CHECK, REFUSE
from geometry import SurgNavError
from navigation.acquisition.collect import AcquisitionSettings
from navigation.acquisition.pivoting import pivot_of
from navigation.acquisition.recordings import input_of_stream
from navigation.acquisition.stylus import Stylus
from navigation.commands.register.command import RegisterRequest
from navigation.commands.register.dialogue import Dialogue
from navigation.commands.register.headset import TouchesAtHeadset, taking_touches
from navigation.commands.register.keyboard import Keys
from navigation.commands.register.screens import plain, show_attempt
from navigation.devices.driver import Role, Tool
from navigation.devices.registry import SIMULATED
from navigation.room.opening import choose_room, open_session, seeds
from navigation.room.room import Room
from navigation.terminal.json_files import write_json_file
from navigation.terminal.system_failures import in_words
from registration.errors import RegisteringError
from registration.measurements import Measured
from registration.record.advice import advise
from registration.record.attempts import keep_attempt
from registration.record.in_force import in_force, put_in_force
from registration.record.plan import RegistrationPlan, open_plan
from registration.record.point_files import read_sweep, read_touched_or_unordered
from registration.register import register


def run_register(
    request: RegisterRequest,
    now: Callable[[], str],
    console: Console,
    open_keys: Callable[[], Keys],
    acquisition: AcquisitionSettings | None = None,
) -> bool:
    """Runs the session. True if a registration is in force, or a recorded one is not refused.

    Args:
        now: tells the time, ISO 8601 with a time zone.
        open_keys: where keys come from, for a live session.
        acquisition: durations and conditions of live measurements; None for the defaults.

    Raises:
        SurgNavError: whatever keeps the session from beginning.
    """
    recorded = request.touched is not None or request.sweep is not None
    if recorded == (request.tracker is not None or request.room is not None):
        raise RegisteringError(
            f"{'both recorded points and' if recorded else 'neither recorded points nor'} a tracker",
            "--touched and --sweep for recorded points, --room or.toml for the devices that you have, "
            f"or --tracker {SIMULATED} for a rehearsal without a patient",
            "choose one of them",
        )
    room = None if recorded else choose_room(request.tracker, request.room, request.seed)
    files = {"landmarks": request.landmarks, "targets": request.targets}
    plan = open_plan(request.case, request.surface, files, request.person, now())
    if request.landmark_kind is not None:
        unsaid = dict.fromkeys(plan.landmarks_ct, request.landmark_kind)
        plan = replace(plan, kinds=unsaid | dict(plan.kinds))
    if room is None:
        return _register_recorded(request, plan, now(), console)
    held = _register_live(request, room, plan, now, console, open_keys(), acquisition)
    if request.json_file is not None:
        write_outcome(request.json_file, plan)
    return held


def _register_recorded(request: RegisterRequest, plan: RegistrationPlan, time: str, console: Console) -> bool:
    files = [path for path in (request.touched, request.sweep) if path is not None]
    touched, unordered = ({}, ()) if request.touched is None else read_touched_or_unordered(request.touched)
    swept = np.empty((0, 3)) if request.sweep is None else read_sweep(request.sweep)
    measured = Measured(
        plan.landmarks_ct,
        touched,
        swept,
        plan.targets_ct,
        unordered=unordered,
        doubts=plan.doubts,
        kinds=plan.kinds,
    )
    outcome = register(measured, plan.surface, plan.assumptions, plan.field)
    by = plan.circumstances(request.person, time, ", ".join(path.name for path in files), start=measured.start)
    attempt = keep_attempt(plan.case, measured, outcome, plan.assumptions, by)
    show_attempt(attempt, attempt.verdict, (), advise(attempt, attempt.verdict, plan.landmarks_ct), console)
    if request.accept_if is not None and attempt.verdict.level in (ACCEPT, request.accept_if):
        put_in_force(plan.case, attempt, request.person, time, consent=request.accept_if == CHECK)
        console.print(f"[green]✓[/] {attempt.id} is in force, accepted by {plain(request.person)}")
    if request.json_file is not None:
        write_outcome(request.json_file, plan, attempt.to_json())
    return attempt.verdict.level != REFUSE


def _register_live(
    request: RegisterRequest,
    room: Room,
    plan: RegistrationPlan,
    now: Callable[[], str],
    console: Console,
    keys: Keys,
    acquisition: AcquisitionSettings | None,
) -> bool:
    tool = room.the_tool(Role.STYLUS, request.stylus)
    if room.is_simulated:
        console.print(
            "[yellow bold]Rehearsal[/]: tracker, hand and patient are simulated, the patient's skin is the case's own "
            "surface. Nothing here is about a real patient.",
            highlight=False,
        )
    tracker, hand = open_session(room, tool.name, lambda: plan.surface)
    stylus = Stylus(room.name, tracker, hand, acquisition, tool, _keeper(room, tool, now), room.devices)
    with taking_touches(room, tool, plan.landmarks_ct, stylus) as touches:
        tracker.start()
        try:
            headset = None if touches is None else TouchesAtHeadset(touches, keys)
            if headset is not None:
                console.print("Landmarks that are touched at the headset are taken as well.", highlight=False)
            return Dialogue(plan, stylus, request.person, now, console, keys, seeds(room), headset).run()
        finally:
            tracker.stop()


def _keeper(room: Room, tool: Tool, now: Callable[[], str]) -> Callable[[PoseStream], None]:
    """What keeps the pivots of a session in the room's rack, as 'surgnav calibrate pivot' does."""

    def keep_pivot(stream: PoseStream) -> None:
        if room.rack is not None:
            result = pivot_of(stream.renamed(tool.rack_name or tool.name), now(), input_of_stream(stream))
            try:
                keep(room.rack, result)
            except OSError as error:
                raise in_words(error, [room.rack]) from error

    return keep_pivot


def write_outcome(path: Path, plan: RegistrationPlan, attempt: dict[str, Any] | None = None) -> None:
    """The attempt of this run, and which registration is in force, or why none is."""
    try:
        accepted, problem = in_force(plan.case), None
    except SurgNavError as error:
        accepted, problem = None, str(error)
    document = {
        "in_force": None if accepted is None else accepted.registration_id,
        "problem": problem,
        "attempt": attempt,
    }
    write_json_file(path, document)
