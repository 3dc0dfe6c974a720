"""The headset's anchor in the sample scene: aligned by a marker, or by the server's calibration; hidden otherwise."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.csharp.unity.played_room import POSES, all_shown
from unity_bridge.wire.convention import pose_to_unity
from unity_bridge.wire.generated.constants import Validity
from unity_bridge.wire.messages import HeadsetAlignment


def test_the_headset_is_aligned_by_a_marker_that_both_see(player):
    """Where the headset sees the reference is where the reference then is, whatever the tracker says of it."""
    player.set("Headset anchor", "HeadsetAnchor", "fixedInScene", "0")
    shown = player.until(lambda shown: "not aligned" in shown["frames"]["stylus"]["reason"])
    assert not any(shown["frames"][name]["is_seen"] for name in POSES)
    seen = Rotation.from_rotvec([0.3, -0.2, 0.5]).as_quat()
    player.move("Marker as the headset sees it", (0.1, 1.2, 0.6), seen)
    player.do("active", player.id_of("Marker as the headset sees it"), "1")
    player.call("Headset anchor", "HeadsetAnchor", "Align")
    shown = player.until(all_shown)
    assert shown["frames"]["reference"]["world"] == pytest.approx([0.1, 1.2, 0.6], abs=1e-5)
    player.do("pause", "1")
    player.do("pause", "0")
    shown = player.until(lambda shown: "taken off" in shown["frames"]["stylus"]["reason"])
    assert not shown["frames"]["stylus"]["is_seen"]


def test_an_alignment_that_scatters_is_refused(player):
    player.until(all_shown)
    player.set("Headset anchor", "HeadsetAnchor", "fixedInScene", "0")
    player.set("Headset anchor", "HeadsetAnchor", "sampleCount", "6")
    marker = "Marker as the headset sees it"
    player.do("active", player.id_of(marker), "1")
    player.call("Headset anchor", "HeadsetAnchor", "Align")
    player.do("step", "3", "5")
    player.move(marker, (0.0, 0.02, 0.0))
    shown = player.until(lambda shown: "scattered" in shown["frames"]["Headset anchor"]["reason"])
    assert "scattered by 10.0 mm and 0.0 degrees (allowed: 2.0 mm, 1.0 degrees)" in shown["frames"]["stylus"]["reason"]
    assert not any(shown["frames"][name]["is_seen"] for name in POSES)


def test_the_headset_is_aligned_by_the_servers_calibration_below_its_anchor(player, room):
    """The anchor's object is turned and moved in the world: the tracker is where the server says, below that."""
    player.until(all_shown)
    player.set("Headset anchor", "HeadsetAnchor", "fixedInScene", "0")
    world = player.id_of("Marker as the headset sees it")
    turn = Rotation.from_rotvec([0.3, -0.2, 0.5])
    player.move("Marker as the headset sees it", (0.1, 1.2, 0.6), turn.as_quat())
    player.do("active", world, "1")
    connection = player.component("SurgNav", "SurgNavConnection")
    player.do("component", "9001", world, "HeadsetObserver")
    player.do("set", "9001", "connection", "ref", connection)
    anchor = player.component("Headset anchor", "HeadsetAnchor")
    player.do("set", anchor, "observer", "ref", "9001")
    shown = player.until(lambda shown: "has not said where the tracker is" in shown["frames"]["stylus"]["reason"])
    assert not any(shown["frames"][name]["is_seen"] for name in POSES)
    player.until(lambda shown: bool(room.observer.anchor))
    aligned = HeadsetAlignment(
        validity=Validity.VALID,
        anchor=room.observer.anchor,
        position_m=(0.2, -0.4, 0.9),
        rotation_xyzw=(0.5, -0.5, 0.5, 0.5),
        calibrated="today",
    )
    room.observer.alignment = aligned
    shown = player.until(all_shown)
    reference_m = np.array(pose_to_unity(POSES["reference"]).position_m)
    in_headset = Rotation.from_quat(aligned.rotation_xyzw).apply(reference_m)
    expected = turn.apply(in_headset + aligned.position_m) + [0.1, 1.2, 0.6]
    np.testing.assert_allclose(shown["frames"]["reference"]["world"], expected, atol=1e-5)
    room.observer.alignment = HeadsetAlignment(validity=Validity.LOST, reason="the headset may have slept")
    shown = player.until(lambda shown: "may have slept" in shown["frames"]["stylus"]["reason"])
    assert not any(shown["frames"][name]["is_seen"] for name in POSES)
    room.observer.alignment = aligned
    player.until(all_shown)
    player.do("call", "9001", "PlacedAnew")
    shown = player.until(lambda shown: "placed its world anew" in shown["frames"]["stylus"]["reason"])
    assert not any(shown["frames"][name]["is_seen"] for name in POSES)
