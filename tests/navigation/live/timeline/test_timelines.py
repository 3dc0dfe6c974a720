"""Tool and reference meet at one instant: a camera or a patient that moves does not move the tool."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import REFERENCE, STYLUS, TRACKER
from navigation.devices.tracker import ToolObservation, TrackerFrame, Visibility
from navigation.live.pose_graph import PoseGraph
from navigation.live.supervisor import Judgement
from navigation.live.timeline.timelines import NoPose, Relative, Timelines
from tests.navigation.live.harness import HIDDEN, MS, seen
from unity_bridge.wire.envelope import Validity

PROBE = "probe"


def frame(number: int, ms: float, **tools: ToolObservation) -> TrackerFrame:
    return TrackerFrame(number, round(ms * MS), tools)


def noted(*frames: TrackerFrame) -> Timelines:
    made = Timelines()
    for each in frames:
        made.note(each, each.capture_ns)
    return made


def x_mm(relative: Relative | NoPose) -> float:
    assert isinstance(relative, Relative), relative.why
    return float(relative.T_reference_tool.translation_mm[0])


def seen_at(ms: float, tool: str, x: float) -> ToolObservation:
    return replace(seen(tool, x), capture_ns=round(ms * MS))


def test_a_slow_tool_meets_the_reference_where_it_was_at_the_tools_time() -> None:
    """By hand: the reference moves 1 mm each ms. The probe, at 7 ms, is at 57 mm, and the reference at 7: 50 mm apart.

    With the newest reference, at 20 mm, it would be 37 mm: 13 mm off.
    """
    frames = [frame(n, 10 * n, reference=seen(REFERENCE, 10.0 * n)) for n in range(2)]
    last = frame(2, 20, reference=seen(REFERENCE, 20.0), probe=seen_at(7, PROBE, 57.0))
    found = noted(*frames, last).newest(PROBE)
    assert x_mm(found) == pytest.approx(50.0)
    assert found.capture_ns == 7 * MS


def test_a_tool_seen_after_the_reference_meets_it_at_the_references_time() -> None:
    """Messages of one tool each: the stylus at 5 and 15 ms, the reference at 10 ms, when the stylus was between."""
    found = noted(
        frame(1, 5, stylus=seen(STYLUS, 100.0)),
        frame(2, 10, reference=seen(REFERENCE, 3.0), stylus=seen_at(5, STYLUS, 100.0)),
        frame(3, 15, reference=seen_at(10, REFERENCE, 3.0), stylus=seen(STYLUS, 110.0)),
    ).newest(STYLUS)
    assert x_mm(found) == pytest.approx(105.0 - 3.0)
    assert found.capture_ns == 10 * MS


def test_an_ultrasound_image_meets_its_probe_at_the_images_time() -> None:
    """An image of 43 ms that is only there at 120 ms: the probe moves 2 mm and the patient 1 mm each 10 ms."""
    frames = [frame(n, 10 * n, reference=seen(REFERENCE, 1.0 * n), probe=seen(PROBE, 2.0 * n)) for n in range(13)]
    found = noted(*frames).at(PROBE, 43 * MS)
    assert x_mm(found) == pytest.approx(4.3)
    beyond = noted(*frames).at(PROBE, 121 * MS)
    assert beyond == NoPose("last seen 1 ms before")


@pytest.mark.parametrize(
    ("hidden", "why"),
    [(REFERENCE, "reference at the time of probe: occluded"), (PROBE, "occluded")],
)
def test_where_one_of_both_was_hidden_there_is_no_pose(hidden: str, why: str) -> None:
    tools = {REFERENCE: seen(REFERENCE), PROBE: seen(PROBE)} | {hidden: HIDDEN}
    assert noted(frame(1, 10, **tools)).newest(PROBE) == NoPose(why)


def test_a_valid_tool_that_no_reference_was_seen_with_is_lost_and_says_why() -> None:
    """The reference is seen again, and the probe's last pose is of the time when it was hidden."""
    lines = noted(
        frame(1, 10, reference=seen(REFERENCE)),
        frame(2, 20, reference=HIDDEN),
        last := frame(3, 30, reference=seen(REFERENCE), probe=seen_at(20, PROBE, 5.0)),
    )
    valid = Judgement(Validity.VALID)
    states = PoseGraph().states(last, {REFERENCE: valid, PROBE: valid}, lines)
    assert [state.validity for state in states[:2]] == [Validity.VALID, Validity.LOST]
    assert states[1].reason == "reference at the time of probe: occluded"


def test_a_device_that_sees_the_reference_itself_needs_no_other_sight_of_it() -> None:
    """Placed by the reference of its frame, and taken back by the same: the reference's own motion drops out."""
    placed = seen(REFERENCE, 400.0).T_tracker_tool
    probe = replace(seen_at(3, PROBE, 412.0), T_tracker_reference=placed)
    found = noted(frame(1, 10, reference=seen(REFERENCE, 400.0), probe=probe)).newest(PROBE)
    assert x_mm(found) == pytest.approx(12.0)


MOTIONS = st.tuples(*[st.floats(-1.0, 1.0) for _ in range(6)])


@given(MOTIONS, MOTIONS, st.integers(5, 40), st.floats(0.0, 40.0))
def test_a_camera_that_moves_cancels(place: tuple, drift: tuple, period_ms: int, delay_ms: float) -> None:
    """The probe rests on the patient; the camera drifts by up to 300 mm and 60 degrees a second.

    The slow device on the same camera sees the probe at times of its own. What is left is the bend of the camera's path
    between two frames; with the newest reference it would be the path of the whole delay.
    """
    T_reference_probe = Transform.from_rotation(
        Rotation.from_rotvec(place[:3]), 100.0 * np.array(place[3:]), REFERENCE, PROBE
    )

    def camera(ms: float) -> Transform:
        share = ms / 1000.0
        turn, shift = np.array(drift[:3]) * share, 300.0 * np.array(drift[3:]) * share
        return Transform.from_rotation(Rotation.from_rotvec(turn), [*shift[:2], 1500.0 + shift[2]], TRACKER, REFERENCE)

    lines, slow_ms = Timelines(), 200.0 - delay_ms
    for number, ms in enumerate(range(0, 240, period_ms)):
        tools = {REFERENCE: ToolObservation(Visibility.VISIBLE, camera(ms), 0.1)}
        if ms >= 200:
            pose = camera(slow_ms) @ T_reference_probe
            tools[PROBE] = ToolObservation(Visibility.VISIBLE, pose, 0.1, capture_ns=round(slow_ms * MS))
        lines.note(TrackerFrame(number, ms * MS, tools), ms * MS)
    found = lines.newest(PROBE)
    assert isinstance(found, Relative)
    assert found.T_reference_tool.translation_difference_mm(T_reference_probe) < 0.5
    assert found.T_reference_tool.rotation_difference_rad(T_reference_probe) < 1e-3


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(1, 60)), min_size=1, max_size=40))
def test_tools_of_one_frame_meet_at_its_time_and_never_otherwise(steps: list[tuple[bool, bool, int]]) -> None:
    lines, ms = Timelines(), 0
    for number, (reference, stylus, passed) in enumerate(steps):
        ms += passed
        tools = {
            REFERENCE: seen(REFERENCE, float(ms)) if reference else HIDDEN,
            STYLUS: seen(STYLUS, float(3 * ms)) if stylus else HIDDEN,
        }
        lines.note(TrackerFrame(number, ms * MS, tools), ms * MS)
        found = lines.newest(STYLUS)
        assert isinstance(found, Relative) == (reference and stylus)
        if isinstance(found, Relative):
            assert (found.capture_ns, x_mm(found)) == (ms * MS, 2.0 * ms)
