"""The ellipsoid of a tip's live error, in the sample scene: as the server's covariance has it, or hidden."""

import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from geometry.transform import Transform
from tests.csharp.unity.played_room import all_shown
from unity_bridge.wire.convention import pose_to_unity
from unity_bridge.wire.envelope import Validity

COVARIANCE_MM2 = np.array([[4.0, 1.0, -0.5], [1.0, 3.0, 0.75], [-0.5, 0.75, 2.0]])
UNKNOWN = "the server does not know the error of the tip"


@pytest.fixture
def ellipsoid(player):
    """The sample's, on the stylus with a sphere below it; returns what is seen as soon as `wanted`."""
    player.until(all_shown)

    def until(wanted):
        shown = player.until(lambda shown: wanted(shown["ellipsoids"]["stylus"]))
        return shown["ellipsoids"]["stylus"], shown["frames"]["stylus"]

    return until


def know(room) -> None:
    room.tools["stylus"] = dataclasses.replace(room.valid("stylus"), covariance_mm2=COVARIANCE_MM2)


def test_it_is_the_95_percent_ellipsoid_of_the_servers_covariance(ellipsoid, room):
    know(room)
    seen, stylus = ellipsoid(lambda seen: seen["is_seen"])
    to_unity = np.column_stack([pose_to_unity(along(axis)).position_m for axis in range(3)])
    turn = (Rotation.from_quat(stylus["rotation"]) * Rotation.from_quat(seen["rotation"])).as_matrix()
    shape_m2 = turn @ np.diag(np.square(np.array(seen["scale"]) / 2)) @ turn.T
    expected_m2 = chi2.ppf(0.95, 3) * 1e-6 * to_unity @ COVARIANCE_MM2 @ to_unity.T
    np.testing.assert_allclose(shape_m2, expected_m2, atol=1e-5 * np.abs(expected_m2).max())
    assert seen["position"] == [0.0, 0.0, 0.0]
    assert seen["colour"] == pytest.approx([1.0, 0.9, 0.3, 0.3]), "the tip is seen through it"
    assert seen["reason"] == ""


def along(axis: int) -> Transform:
    """One metre along an axis of the reference: what a pose at its end is in Unity says how that axis lies there."""
    matrix = np.eye(4)
    matrix[axis, 3] = 1000.0
    return Transform(matrix, "reference", "stylus_tip")


def test_what_is_not_known_is_hidden_and_never_a_point(ellipsoid, room):
    ellipsoid(lambda seen: (seen["is_seen"], seen["reason"]) == (False, UNKNOWN))
    know(room)
    ellipsoid(lambda seen: seen["is_seen"])
    room.tools["stylus"] = room.valid("stylus")
    ellipsoid(lambda seen: (seen["is_seen"], seen["reason"]) == (False, UNKNOWN))


@pytest.mark.parametrize("validity", [Validity.SUSPECT, Validity.LOST])
def test_it_is_hidden_while_the_tool_is_not_valid(ellipsoid, room, validity):
    know(room)
    ellipsoid(lambda seen: seen["is_seen"])
    room.say("stylus", validity, "the marker does not fit")
    if validity is not Validity.LOST:
        room.tools["stylus"] = dataclasses.replace(room.tools["stylus"], covariance_mm2=COVARIANCE_MM2)
    ellipsoid(lambda seen: (seen["is_seen"], seen["reason"]) == (False, "the marker does not fit"))


def test_it_makes_no_garbage(ellipsoid, player, room, runtime):
    if runtime.value != "dotnet":
        return  # Mono does not count by thread
    know(room)
    ellipsoid(lambda seen: seen["is_seen"])
    bytes_taken = [int(player.do("garbage", "200")) for _ in range(4)]  # a busy machine makes news now and then
    assert min(bytes_taken) == 0, bytes_taken
