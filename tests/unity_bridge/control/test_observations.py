"""What a headset sees: out of Unity's convention by a truth computed by hand, and what is refused of it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import HEADSET
from tests.unity_bridge.strategies import transforms
from unity_bridge.client.clock_offset import ClockOffset
from unity_bridge.client.observation_link import ObservationLink, seen, unseen
from unity_bridge.control.observations import check_time, view_of
from unity_bridge.errors import InvalidPoseError, ObservationsRefusedError
from unity_bridge.wire.convention import covariance_from_unity, covariance_to_unity, pose_from_unity, pose_to_unity
from unity_bridge.wire.generated.constants import MAX_OBSERVED_TOOLS, Validity
from unity_bridge.wire.messages import ObservedTool, ToolObservations
from unity_bridge.wire.schema import decode, encode

NAMES = {"Pointer": "stylus", "Cube": "reference"}
# Unity's rotation by 90 degrees about its y axis (superior), and (1, 2, 3) m.
TURNED = ObservedTool(
    tool="Pointer",
    validity=Validity.VALID,
    position_m=(1.0, 2.0, 3.0),
    rotation_xyzw=(0.0, 0.5**0.5, 0.0, 0.5**0.5),
    fit_rms_mm=0.4,
)
MESSAGE = ToolObservations(
    frame="headset",
    anchor="place-1",
    number=7,
    seen_ns=1_000_000_000,
    clock_error_ns=2_000_000,
    tools=(TURNED, unseen("Cube", "covered")),
)


def with_tool(**changes) -> ToolObservations:
    return replace(MESSAGE, tools=(replace(TURNED, **changes),))


def test_a_pose_comes_out_of_unitys_convention_as_computed_by_hand():
    view = view_of(MESSAGE, NAMES)
    stylus = view.tools["Pointer"]
    # Unity's (x, y, z) in m is (-x, -z, y) in 1000 mm here. Its turn about y takes its z to its x: our -y to our -x.
    np.testing.assert_allclose(stylus.T_headset_tool.translation_mm, [-1000.0, -3000.0, 2000.0])
    np.testing.assert_allclose(stylus.T_headset_tool.rotation_matrix @ [0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(stylus.T_headset_tool.rotation_matrix @ [0.0, 0.0, 1.0], [0.0, 0.0, 1.0], atol=1e-12)
    assert (stylus.T_headset_tool.to_frame, stylus.T_headset_tool.from_frame) == (HEADSET, "stylus")
    assert (stylus.fit_rms_mm, stylus.seen_ns, view.anchor, view.number) == (0.4, 1_000_000_000, "place-1", 7)


def test_a_lost_tool_is_lost_and_has_no_pose():
    lost = view_of(MESSAGE, NAMES).tools["Cube"]
    assert (lost.validity, lost.reason, lost.T_headset_tool) == (Validity.LOST, "covered", None)


@given(transforms(HEADSET, "stylus"))
def test_there_and_back_a_pose_is_the_same(T_headset_stylus):
    message = replace(MESSAGE, tools=(seen("Pointer", T_headset_stylus),))
    arrived = view_of(decode(ToolObservations, memoryview(encode(message))), NAMES).tools["Pointer"]
    np.testing.assert_allclose(arrived.T_headset_tool.matrix, T_headset_stylus.matrix, atol=1e-9)


def test_a_covariance_moves_the_tool_as_its_samples_do():
    """By samples of the motion, each converted as a pose: the convention of poses is the reference."""
    rng = np.random.default_rng(3)
    factor = np.diag([0.001, 0.002, 0.004, 0.1, 0.3, 0.9]) @ (np.eye(6) + 0.3 * rng.normal(size=(6, 6)))
    covariance = factor @ factor.T
    centre = Transform.from_rotation(Rotation.from_rotvec([0.4, -0.9, 1.3]), [100.0, -250.0, 900.0], HEADSET, "stylus")
    unity = pose_to_unity(centre)
    axis = Rotation.from_quat(unity.rotation_xyzw)
    for column in factor.T:
        moved = Transform.from_rotation(
            Rotation.from_rotvec(column[:3]) * Rotation.from_matrix(centre.rotation_matrix),
            centre.translation_mm + column[3:],
            HEADSET,
            "stylus",
        )
        there = pose_to_unity(moved)
        turn = (Rotation.from_quat(there.rotation_xyzw) * axis.inv()).as_rotvec()
        motion = np.concatenate([turn, there.position_m - unity.position_m])
        np.testing.assert_allclose(
            covariance_to_unity(np.outer(column, column)), np.outer(motion, motion), rtol=1e-6, atol=1e-12
        )
    np.testing.assert_allclose(covariance_from_unity(covariance_to_unity(covariance)), covariance, rtol=1e-9)
    message = replace(MESSAGE, tools=(seen("Pointer", centre, covariance=covariance),))
    np.testing.assert_allclose(view_of(message, NAMES).tools["Pointer"].covariance, covariance, rtol=1e-9)
    assert np.allclose(pose_from_unity(unity).matrix, centre.matrix)


@pytest.mark.parametrize(
    ("message", "error", "said"),
    [
        (replace(MESSAGE, frame="world"), ObservationsRefusedError, "poses in the frame 'world'"),
        (replace(MESSAGE, anchor=""), ObservationsRefusedError, "poses without an anchor"),
        (replace(MESSAGE, tools=(TURNED, TURNED)), ObservationsRefusedError, "2 tools, 1 of them different"),
        (with_tool(validity=Validity.LOST), InvalidPoseError, "lost with a pose"),
        (with_tool(validity=Validity.STALE), InvalidPoseError, "stale with a pose"),
        (with_tool(position_m=None, rotation_xyzw=None, fit_rms_mm=None), InvalidPoseError, "valid without a pose"),
        (with_tool(position_m=None), InvalidPoseError, "with half of a pose"),
        (with_tool(rotation_xyzw=(0.0, 0.0, 0.0, 0.0)), InvalidPoseError, "quaternion [0.0, 0.0, 0.0, 0.0]"),
        (
            with_tool(position_m=(0.0,) * 3, rotation_xyzw=(0.0, 0.0, 0.0, 1.0)),
            InvalidPoseError,
            "the identity",
        ),
        (with_tool(position_m=(0.0,) * 3, rotation_xyzw=(0.0, 0.0, 0.0, -1.0)), InvalidPoseError, "the identity"),
        (with_tool(fit_rms_mm=-1.0), InvalidPoseError, "a fit of -1.0 mm"),
        (with_tool(covariance=(-1.0, *[0.0] * 20)), InvalidPoseError, "a negative variance"),
        (with_tool(covariance=(0.0,) * 21), InvalidPoseError, "a negative variance"),
        (replace(MESSAGE, tools=(replace(unseen("Cube", "x"), fit_rms_mm=1.0),)), InvalidPoseError, "without a pose"),
    ],
)
def test_what_cannot_be_is_refused(message, error, said):
    with pytest.raises(error) as refusal:
        view_of(message, NAMES)
    assert said in str(refusal.value)


def test_more_tools_than_allowed_are_refused():
    many = tuple(unseen(f"tool-{number}", "lost") for number in range(MAX_OBSERVED_TOOLS + 1))
    with pytest.raises(ObservationsRefusedError, match="65 tools"):
        view_of(replace(MESSAGE, tools=many), {tool.tool: "stylus" for tool in many})


def test_times_that_cannot_be_are_refused():
    check_time(MESSAGE, 1_000_000_000 - 2_000_000)  # ahead by what the comparison of the clocks leaves open
    with pytest.raises(ObservationsRefusedError, match=r"seen 2\.0 ms from now, by clocks compared to 2\.0 ms"):
        check_time(MESSAGE, 1_000_000_000 - 2_000_001)
    with pytest.raises(ObservationsRefusedError, match="from now"):
        check_time(with_tool(seen_ns=1_500_000_000), 1_100_000_000)
    for error_ns in (-1, 50_000_001):
        with pytest.raises(ObservationsRefusedError, match="clocks compared to"):
            check_time(replace(MESSAGE, clock_error_ns=error_ns), 2_000_000_000)


def test_times_are_put_on_the_servers_clock_and_images_that_are_not_sent_are_counted():
    link = ObservationLink()
    assert link.message("place-1", 100, (), None) is None
    own_time = replace(TURNED, seen_ns=90)
    message = link.message("place-1", 100, (own_time, unseen("Cube", "covered")), ClockOffset(1000, 7))
    assert (message.number, message.seen_ns, message.clock_error_ns, message.frame) == (2, 1100, 7, HEADSET)
    assert [tool.seen_ns for tool in message.tools] == [1090, None]
