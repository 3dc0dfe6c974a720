"""What a finding says of an event follows from what the client was shown and from the truth, both known here."""

from __future__ import annotations

import numpy as np
import pytest

from geometry import Transform
from geometry.frames import REFERENCE, STYLUS
from geometry.points import Bools
from navigation.clock import NS_PER_S
from navigation.demo.noticed import Finding, findings
from navigation.live.pose_graph import PATIENT
from navigation.simulation.actions import Touch
from navigation.simulation.operating_room import OperatingRoom, OperatingRoomConfig
from navigation.simulation.patient import shaft_directions
from navigation.simulation.scenario import Scenario
from unity_bridge.client.recording import ClientRecording

CENTRE = np.array([5.0, -20.0, 900.0])
POINT = CENTRE + [30.0, -110.0, 20.0]
TOOLS = (PATIENT, REFERENCE, STYLUS)
CAME_S = np.arange(0.005, 6.0, 0.01)  # a batch every 10 ms, none just when an event begins
BREATH = {"from_s": 1.0, "to_s": 5.0, "amplitude_mm": 20.0, "period_s": 4.0}


def found(withdrawn: Bools | None = None, registered: bool = True, **event: object) -> Finding:
    """The finding on one event while the stylus is held on a point of the body; poses are exact, and valid but for
    those `withdrawn`.
    """
    bare = OperatingRoom(OperatingRoomConfig(seed=2, centre_ct_mm=CENTRE))
    shaft = shaft_directions(np.array([[0.0, -1.0, 0.0]]), bare.towards_camera_ct)[0]
    action = Touch(POINT, shaft, tremor_mm=0.0)
    scenario = Scenario.model_validate({"name": "made", **{kind: [keys] for kind, keys in event.items()}})
    config = OperatingRoomConfig(
        seed=2, centre_ct_mm=CENTRE, action=action, epoch_ns=5 * NS_PER_S, tools=(REFERENCE, STYLUS), scenario=scenario
    )
    room = OperatingRoom(config)
    came_ns = config.epoch_ns + np.round(CAME_S * NS_PER_S).astype(np.int64)
    poses = [room.pose_in_reference(STYLUS, time_ns) for time_ns in came_ns.tolist()]
    tip_mm = np.array([np.full(3, np.nan) if pose is None else pose.apply(room.tip_stylus_mm) for pose in poses])
    T_reference_ct: Transform | None = room.T_reference_ct if registered else None
    (finding,) = findings(room, recorded(came_ns, withdrawn), tip_mm, STYLUS, T_reference_ct)
    return finding


def recorded(came_ns: np.ndarray, withdrawn: Bools | None) -> ClientRecording:
    count = len(came_ns)
    lost = np.zeros(count, bool) if withdrawn is None else withdrawn
    validity, reason = np.full((count, len(TOOLS)), "valid", object), np.full((count, len(TOOLS)), "", object)
    validity[lost, TOOLS.index(STYLUS)] = "lost"
    reason[lost, TOOLS.index(STYLUS)] = [f"the frame is {age} ms old" for age in range(int(lost.sum()))]
    return ClientRecording(
        session_id=np.full(count, "00"),
        sequence=np.arange(count),
        capture_ns=came_ns,
        received_ns=came_ns,
        decoded_ns=came_ns,
        batch_validity=np.full(count, "valid"),
        tools=np.array(TOOLS),
        validity=validity.astype(str),
        reason=reason.astype(str),
        position_m=np.full((count, len(TOOLS), 3), np.nan),
        rotation_xyzw=np.full((count, len(TOOLS), 4), np.nan),
        surfaces=(),
    )


def test_a_breath_that_is_shown_as_valid_is_not_noticed_for_as_long_as_it_misleads() -> None:
    finding = found(breathing=BREATH)
    # 10 mm (1 - cos) is above 5 mm for two thirds of a period, and above 10 mm for half of it.
    assert finding.misleading_share == pytest.approx(2.0 / 3.0, abs=0.01)
    assert finding.error_max_mm == pytest.approx(20.0, abs=0.01)
    assert finding.error_p50_mm == pytest.approx(10.0, abs=0.2)
    assert finding.statement.startswith("NOT noticed")


def test_what_was_withdrawn_is_noticed_with_its_reason_and_misleads_nobody() -> None:
    finding = found(withdrawn=(CAME_S > 1.0) & (CAME_S < 5.0), breathing=BREATH)
    assert (finding.valid_share, finding.usual_share, finding.misleading_share) == (0.0, 1.0, 0.0)
    assert finding.error_max_mm is None
    # One reason, however many ages it was said with.
    assert finding.statement.startswith("noticed: shown as valid for 0% of the time")
    assert finding.reasons == ("the frame is ... ms old",)


def test_a_late_withdrawal_is_not_noticed_in_time() -> None:
    finding = found(withdrawn=(CAME_S > 3.0) & (CAME_S < 5.0), breathing=BREATH)
    assert finding.misleading_share == pytest.approx(1.0 / 3.0, abs=0.01)
    assert finding.statement.startswith("NOT noticed")


def test_what_changes_no_pose_does_no_harm() -> None:
    finding = found(dropped_frames={"from_s": 1.0, "share": 0.5})
    assert finding.error_max_mm == pytest.approx(0.0, abs=1e-6)
    assert finding.statement.startswith("did no harm: valid for 100% of the time")


def test_an_event_after_the_client_has_left_did_not_happen() -> None:
    finding = found(breathing={**BREATH, "from_s": 20.0, "to_s": 24.0})
    assert finding.batches == 0
    assert finding.statement == "did not happen while the client listened"


def test_without_a_registration_nobody_says_how_far_off_it_was() -> None:
    assert found(registered=False, breathing=BREATH).error_max_mm is None
