"""States and reasons, frame by frame; nothing lost is ever sent as valid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import REFERENCE, STYLUS
from navigation.live.pose_graph import PATIENT, CalibratedTip, PoseGraph
from navigation.live.supervisor import Supervisor
from registration.record.accepted import AcceptedRegistration
from tests.navigation.live.harness import HIDDEN, MS, TOOLS, frame, seen, settled
from unity_bridge.wire.envelope import Validity


def test_a_tool_is_believed_after_three_good_frames_and_not_before() -> None:
    supervisor = Supervisor(TOOLS)
    states = [supervisor.judge(frame(n, seen(REFERENCE), seen(STYLUS)), 0)[STYLUS].validity for n in range(4)]
    assert states == [Validity.SUSPECT, Validity.SUSPECT, Validity.VALID, Validity.VALID]


def test_a_hidden_tool_is_lost_at_once_and_only_it() -> None:
    judged = settled().judge(frame(3, seen(REFERENCE), HIDDEN), 30 * MS)
    assert judged[STYLUS].validity is Validity.LOST
    assert judged[STYLUS].reason == "occluded"
    assert judged[REFERENCE].validity is Validity.VALID


def test_without_the_reference_nothing_is_valid() -> None:
    judged = settled().judge(frame(3, HIDDEN, seen(STYLUS)), 30 * MS)
    assert judged[STYLUS].validity is Validity.LOST
    assert judged[STYLUS].reason == "reference lost: occluded"


def test_a_marker_that_does_not_fit_is_suspect() -> None:
    judged = settled().judge(frame(3, seen(REFERENCE), seen(STYLUS, fit_rms_mm=2.0)), 30 * MS)
    assert judged[STYLUS].validity is Validity.SUSPECT
    assert "design" in judged[STYLUS].reason


def test_silence_is_stale_then_lost_and_needs_settling_again() -> None:
    supervisor = settled()
    assert supervisor.judge(None, 60 * MS)[STYLUS].validity is Validity.STALE
    assert supervisor.judge(None, 20 * MS + 251 * MS)[STYLUS].validity is Validity.LOST
    after = supervisor.judge(frame(40, seen(REFERENCE), seen(STYLUS)), 400 * MS)
    assert after[STYLUS].validity is Validity.SUSPECT
    assert Supervisor(TOOLS).judge(None, 0)[REFERENCE].reason == "no frame from the tracker yet"


observations = st.one_of(
    st.just(None),
    st.tuples(*[st.sampled_from(["good", "bent", "hidden"])] * 2),
)


@given(st.lists(observations, max_size=40))
def test_whatever_happens_only_valid_and_suspect_tools_have_a_pose_and_reasons_are_given(history: list) -> None:
    supervisor = Supervisor(TOOLS)
    pose = Transform(np.eye(4), REFERENCE, "ct")
    graph = PoseGraph(registration=AcceptedRegistration(pose, "r", 1.0, "accept", "Dr Test"))
    for number, kinds in enumerate(history):
        made = {"good": seen, "bent": lambda tool: seen(tool, fit_rms_mm=5.0), "hidden": lambda tool: HIDDEN}
        current = None if kinds is None else frame(number, made[kinds[0]](REFERENCE), made[kinds[1]](STYLUS))
        judged = supervisor.judge(current, number * 10 * MS)
        for state in graph.states(current, judged):
            assert (state.reason == "") == (state.validity is Validity.VALID)
            assert (state.T_to_from is not None) == (state.validity in (Validity.VALID, Validity.SUSPECT))
        if kinds is None or kinds[0] == "hidden":
            assert all(j.validity in (Validity.LOST, Validity.STALE) for j in judged.values())


def test_the_graph_puts_the_tip_into_the_reference_by_hand() -> None:
    tip = np.eye(4)
    tip[1, 3] = -150.0
    graph = PoseGraph({STYLUS: CalibratedTip(Transform(tip, STYLUS, "stylus_tip"), 0.3)})
    supervisor = settled()
    current = frame(3, seen(REFERENCE, x_mm=100.0), seen(STYLUS, x_mm=130.0))
    states = {state.tool: state for state in graph.states(current, supervisor.judge(current, 30 * MS))}
    stylus = states[STYLUS]
    assert stylus.T_to_from is not None
    np.testing.assert_allclose(stylus.T_to_from.translation_mm, [30.0, -150.0, 0.0])
    assert (stylus.to_frame, stylus.from_frame) == (REFERENCE, "stylus_tip")
    assert stylus.expected_error_mm == pytest.approx(0.3)
    assert states[PATIENT].validity is Validity.LOST
    assert states[PATIENT].reason == "not registered"


def test_the_patient_is_shown_with_its_registration_and_the_error_to_expect() -> None:
    T_reference_ct = Transform.from_rotation(Rotation.from_euler("z", 90, degrees=True), [1, 2, 3], REFERENCE, "ct")
    graph = PoseGraph(registration=AcceptedRegistration(T_reference_ct, "r-0007", 1.25, "check", "Dr Test"))
    current = frame(3, seen(REFERENCE), seen(STYLUS))
    (patient,) = (s for s in graph.states(current, settled().judge(current, 30 * MS)) if s.tool == PATIENT)
    assert (patient.validity, patient.T_to_from) == (Validity.VALID, T_reference_ct)
    assert (patient.expected_error_mm, patient.registration_id) == (1.25, "r-0007")
