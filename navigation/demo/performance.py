"""The simulated surgery in one piece, for devices that play it: all steps one after the other, seen by a tracker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from geometry.points import Floats
from navigation.clock import NS_PER_S, VirtualClock
from navigation.demo.room_surgeon import BEFORE_FIRST_S, BETWEEN_S, COLLECTED
from navigation.demo.surgery import FRONT, SimulatedSurgeon
from navigation.devices.tracker import TrackerFrame
from navigation.simulation.actions import Action, Script
from navigation.simulation.operating_room import SPHERES_MM, open_simulated_tracker
from navigation.simulation.patient import SkinPoints

# The stylus is out of sight for longer than is waited for, and every step takes longer than what is collected of it.
_TRAY_S = 0.5
_PIVOT_S, _SWEEP_S, _TOUCH_S = 12.0, 25.0, 2.5
_NOISE_SEED = 2000


def perform(
    surgeon: SimulatedSurgeon,
    markers: SkinPoints,
    bone_ct: Mapping[str, Floats],
    tools: tuple[str, ...] = tuple(SPHERES_MM),
    rate_hz: float = 50.0,
) -> Iterator[TrackerFrame]:
    """The frames of the whole surgery, on a clock that begins at 1 s.

    Args:
        surgeon: one that has done nothing yet, so that its hand errs as in the demo of its seed.
        markers: the true markers, in the order of the planned landmarks.
        bone_ct: the planned landmarks on bone.
    """
    script = _script(surgeon, markers, bone_ct)
    start_s, duration_s, _ = script.steps[-1]
    clock = VirtualClock(NS_PER_S)
    config = replace(
        surgeon.config,
        action=script,
        tools=tools,
        noise_seed=_NOISE_SEED,
        epoch_ns=clock.now_ns(),
        tracker=replace(surgeon.config.tracker, rate_hz=rate_hz),
    )
    tracker = open_simulated_tracker(config, clock)
    tracker.start()
    end_ns = clock.now_ns() + round((start_s + duration_s + BETWEEN_S + _TRAY_S) * NS_PER_S)
    while clock.now_ns() < end_ns:
        frame = tracker.next_frame(NS_PER_S)
        if frame is not None:
            yield frame


def _script(surgeon: SimulatedSurgeon, markers: SkinPoints, bone_ct: Mapping[str, Floats]) -> Script:
    places = zip(markers.points_ct_mm, markers.outward_ct, strict=True)
    steps: list[tuple[float, Action]] = [(_PIVOT_S, surgeon.pivot_action())]
    steps += [(_TOUCH_S, surgeon.touch_action(point, outward)) for point, outward in places]
    steps += [(_SWEEP_S, replace(surgeon.sweep_action(), duration_s=COLLECTED.sweep_s))]
    steps += [(_TOUCH_S, surgeon.touch_action(point, FRONT)) for point in bone_ct.values()]
    timed, start_s = [], BEFORE_FIRST_S + _TRAY_S
    for duration_s, action in steps:
        timed.append((start_s, duration_s, action))
        start_s += duration_s + BETWEEN_S + _TRAY_S
    return Script(tuple(timed))
