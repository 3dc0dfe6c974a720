"""Poses against products of matrices worked out by hand, turned as well as moved; and what depends on the reference."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import CT, REFERENCE, STYLUS, TRACKER
from navigation.devices.tracker import ToolObservation, TrackerFrame, Visibility
from navigation.live.pose_graph import PATIENT, CalibratedTip, PoseGraph
from navigation.live.supervisor import Judgement
from registration.record.accepted import AcceptedRegistration
from tests.navigation.live.harness import HIDDEN, MS, frame, seen, settled
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity

# Quarter turns, so that every number can be followed on paper.
QUARTER = {axis: Rotation.from_euler(axis, 90, degrees=True) for axis in "xyz"}
T_TRACKER_REFERENCE = Transform.from_rotation(QUARTER["z"], [100, 0, 1500], TRACKER, REFERENCE)
T_TRACKER_STYLUS = Transform.from_rotation(QUARTER["x"], [130, 40, 1450], TRACKER, STYLUS)
T_STYLUS_TIP = Transform.from_rotation(QUARTER["y"], [5, -150, 20], STYLUS, "stylus_tip")
SEEN = TrackerFrame(
    1,
    0,
    {
        REFERENCE: ToolObservation(Visibility.VISIBLE, T_TRACKER_REFERENCE, 0.1),
        STYLUS: ToolObservation(Visibility.VISIBLE, T_TRACKER_STYLUS, 0.1),
    },
)
VALID = {REFERENCE: Judgement(Validity.VALID), STYLUS: Judgement(Validity.VALID)}
# The tip in the marker is (5, -150, 20); the marker's quarter turn about x makes it (5, -20, -150), which lies at
# (135, 20, 1300) in the tracker. From the reference that is (35, 20, -200), turned back about z: (20, -35, -200).
TIP_REFERENCE_MM = [20.0, -35.0, -200.0]


def states_of(graph: PoseGraph, judgements: dict[str, Judgement] | None = None) -> dict[str, ToolState]:
    return {state.tool: state for state in graph.states(SEEN, judgements or VALID)}


def test_a_turned_stylus_with_a_turned_tip_lies_where_it_was_worked_out_by_hand() -> None:
    stylus = states_of(PoseGraph({STYLUS: CalibratedTip(T_STYLUS_TIP, 0.3)}))[STYLUS]
    assert stylus.T_to_from is not None
    np.testing.assert_allclose(stylus.T_to_from.translation_mm, TIP_REFERENCE_MM, atol=1e-9)
    turned = np.linalg.inv(T_TRACKER_REFERENCE.matrix) @ T_TRACKER_STYLUS.matrix @ T_STYLUS_TIP.matrix
    np.testing.assert_allclose(stylus.T_to_from.matrix, turned, atol=1e-9)
    assert (stylus.to_frame, stylus.from_frame) == (REFERENCE, "stylus_tip")


def test_a_tool_without_a_calibrated_tip_is_shown_by_its_marker() -> None:
    stylus = states_of(PoseGraph())[STYLUS]
    assert stylus.T_to_from is not None
    # (30, 40, -50) in the tracker's directions, turned back about z.
    np.testing.assert_allclose(stylus.T_to_from.translation_mm, [40.0, -30.0, -50.0], atol=1e-9)
    assert stylus.from_frame == STYLUS


def test_the_reference_is_shown_in_the_tracker_and_the_patient_in_the_reference() -> None:
    T_reference_ct = Transform.from_rotation(QUARTER["y"], [1, 2, 3], REFERENCE, CT)
    states = states_of(PoseGraph(registration=AcceptedRegistration(T_reference_ct, "r", 1.0, "accept", "Dr Test")))
    assert states[REFERENCE].T_to_from == T_TRACKER_REFERENCE
    assert states[PATIENT].T_to_from == T_reference_ct


@pytest.mark.parametrize(
    ("reference", "validity", "reason"),
    [
        (seen(REFERENCE, fit_rms_mm=2.0), Validity.SUSPECT, "reference suspect: the marker does not fit its design"),
        (HIDDEN, Validity.LOST, "reference lost: occluded"),
    ],
    ids=["suspect", "lost"],
)
def test_what_is_measured_from_a_reference_is_no_better_than_it(
    reference: ToolObservation, validity: Validity, reason: str
) -> None:
    supervisor = settled()
    judged = supervisor.judge(frame(3, reference, seen(STYLUS)), 30 * MS)
    assert (judged[STYLUS].validity, judged[STYLUS].reason) == (validity, reason)
    T_reference_ct = Transform(np.eye(4), REFERENCE, CT)
    graph = PoseGraph(registration=AcceptedRegistration(T_reference_ct, "r", 1.0, "accept", "Dr Test"))
    patient = states_of(graph, dict(judged))[PATIENT]
    assert (patient.validity, patient.reason) == (validity, reason)


def test_a_reference_that_was_found_again_makes_everything_suspect_until_it_has_settled() -> None:
    supervisor = settled()
    supervisor.judge(frame(3, HIDDEN, seen(STYLUS)), 30 * MS)
    states = [supervisor.judge(frame(n, seen(REFERENCE), seen(STYLUS)), n * 10 * MS)[STYLUS] for n in range(4, 7)]
    assert [state.validity for state in states] == [Validity.SUSPECT, Validity.SUSPECT, Validity.VALID]
    assert states[0].reason == "reference suspect: found again, settling"
