"""The planned trajectory in the sample scene: where the plan has it, the tip beside it, alerts by colour and shape."""

import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry.transform import Transform
from navigation.guidance.publish import Aim
from tests.csharp.unity.played_room import POSES, Room, all_shown
from tests.navigation.guidance.harness import BALL_CT, BALL_RADIUS_MM, LEFT, SCREW
from unity_bridge.wire.convention import points_to_unity
from unity_bridge.wire.envelope import Validity

WIDTH_M = 0.0008  # of a rod, in the sample
RING, TRIANGLE, SQUARE, LINE = 24, 3, 4, 1
GREY = [0.5, 0.5, 0.5, 0.5]


@pytest.fixture
def seen(player):
    """Plays until the overlay is as `wanted`, and returns what is seen of it."""

    def until(wanted):
        return player.until(lambda shown: wanted(shown["trajectory"]))["trajectory"]

    player.until(lambda shown: all_shown(shown) and is_shown(shown["trajectory"]))
    return until


def is_shown(overlay) -> bool:
    return (overlay["display"], overlay["tip_display"]) == ("Shown", "Shown")


def rods_of(part) -> np.ndarray:
    """Ends of each rod in metres, ``(n, 2, 3)``: the middles of its first and its last four corners."""
    return np.array(part["lines"]).reshape(-1, 2, 4, 3).mean(axis=2)


def length_m(part) -> float:
    return float(np.linalg.norm(np.diff(rods_of(part), axis=1), axis=2).sum())


def put_tip(room: Room, tip_ct_mm) -> None:
    T_ct_tip = Transform.from_rotation(Rotation.identity(), tip_ct_mm, "ct", "stylus_tip")
    room.tools["stylus"] = dataclasses.replace(room.valid("stylus"), T_to_from=POSES["patient"] @ T_ct_tip)


def test_the_plan_is_drawn_where_the_server_has_it(seen):
    plan = seen(is_shown)["plan"]
    assert (plan["parent"], plan["is_seen"]) == ("patient", True)
    assert plan["colour"] == pytest.approx([0.1, 0.8, 1.0, 1.0])
    rods = rods_of(plan)
    entry, target = points_to_unity([LEFT.entry_ct_mm, LEFT.target_ct_mm])
    np.testing.assert_allclose(rods[0], [entry, target], atol=1e-6)
    ring, star, ticks, end = np.split(rods[1:], [RING, RING + 2, RING + 2 + 3])
    axis = (target - entry) / np.linalg.norm(target - entry)
    for circle, depth_mm in ((ring, 0.0), (end, SCREW.length_mm)):
        assert len(circle) == RING
        spokes = circle - (entry + depth_mm / 1000.0 * axis)
        np.testing.assert_allclose(np.linalg.norm(spokes, axis=2), SCREW.diameter_mm / 2000.0, atol=1e-6)
        np.testing.assert_allclose(spokes @ axis, 0.0, atol=1e-6)
    np.testing.assert_allclose(star.mean(axis=1), [target, target], atol=1e-6)
    np.testing.assert_allclose((ticks.mean(axis=1) - entry) @ axis, [0.01, 0.02, 0.03], atol=1e-6)


def test_every_rod_is_closed_and_seen_from_outside(seen):
    """The volume within the triangles, clockwise in left-handed axes: a face turned over would take from it."""
    plan = seen(is_shown)["plan"]
    corners = np.array(plan["lines"], float)
    a, b, c = (corners[np.array(plan["triangles"])[k::3]] - corners.mean(axis=0) for k in range(3))
    volume = np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0
    assert volume == pytest.approx(length_m(plan) * WIDTH_M**2, rel=1e-3)


def test_a_line_goes_from_the_tip_to_its_depth_on_the_axis(seen, room):
    put_tip(room, [4.0, -3.0, 12.0])
    target = points_to_unity([[4.0, -3.0, 12.0], [0.0, 0.0, 12.0]])
    tip = seen(lambda overlay: is_shown(overlay) and np.allclose(rods_of(overlay["tip"])[0], target, atol=1e-6))["tip"]
    assert tip["parent"] == "patient"


def test_an_alert_is_told_by_its_colour_and_by_its_shape(seen, room):
    """Nearer and nearer to the vessel: the levels are the server's, by the distance left once its error is off."""
    put_tip(room, BALL_CT - [BALL_RADIUS_MM + 20.0, 0.0, 0.0])
    clear = seen(lambda overlay: overlay["level"] == "Clear")
    looks = {"Clear": look(clear)}
    (risk,) = room.guidance.states[0].risks
    error_mm = risk.distance_mm - risk.left_mm
    for level, left_mm in (("Caution", 3.5), ("Warning", 1.0), ("Breach", -1.0)):
        put_tip(room, BALL_CT - [BALL_RADIUS_MM + error_mm + left_mm, 0.0, 0.0])
        looks[level] = look(seen(lambda overlay, level=level: overlay["level"] == level))
    rods = {level: rods for level, (rods, _) in looks.items()}
    assert rods["Clear"] == LINE + RING
    assert rods["Caution"] == LINE + TRIANGLE
    assert rods["Warning"] == LINE + 2 * TRIANGLE
    assert rods["Breach"] == LINE + SQUARE + 2
    assert len({tuple(colour) for _, colour in looks.values()}) == len(looks)


def look(overlay) -> tuple[int, list[float]]:
    return len(rods_of(overlay["tip"])), overlay["tip"]["colour"]


def test_it_is_hidden_with_the_registration_and_grey_while_that_is_doubted(seen, room):
    room.say("patient", Validity.LOST, "no registration")
    lost = seen(lambda overlay: overlay["display"] == "Hidden")
    assert (lost["reason"], lost["tip_reason"]) == ("no registration", "no registration")
    assert not lost["plan"]["is_seen"]
    assert not lost["tip"]["is_seen"]
    room.say("patient", Validity.SUSPECT, "registered 13 hours ago")
    doubted = seen(lambda overlay: overlay["display"] == "Greyed")
    assert doubted["plan"]["colour"] == GREY
    assert (doubted["tip_display"], doubted["level"]) == ("Hidden", "Unset")
    assert doubted["reason"] == "registered 13 hours ago"
    room.tools["patient"] = room.valid("patient")
    assert seen(is_shown)["plan"]["colour"] != GREY


def test_a_tool_that_is_not_valid_has_no_mark_but_the_plan_stays(seen, room, player):
    room.say("stylus", Validity.SUSPECT, "the marker does not fit")
    overlay = seen(lambda overlay: overlay["tip_display"] == "Hidden")
    assert overlay["display"] == "Shown"
    assert not overlay["tip"]["is_seen"]
    assert overlay["tip_reason"] == "stylus suspect: the marker does not fit"
    assert player.show()["texts"]["Trajectory"] == overlay["tip_reason"]


def test_a_plan_that_holds_no_more_is_not_drawn(seen, room):
    room.guidance.take(Aim(problem="the plan has changed"))
    gone = seen(lambda overlay: overlay["display"] == "Hidden")
    assert gone["reason"] == "the plan has changed"
    assert not gone["plan"]["is_seen"]


def test_a_trajectory_that_the_plan_does_not_have_is_said(seen, player):
    player.set("Trajectory", "TrajectoryOverlay", "trajectory", "right")
    overlay = seen(lambda overlay: overlay["display"] == "Hidden")
    assert overlay["reason"] == "the plan has no trajectory 'right'"


def test_it_makes_no_garbage(seen, player, runtime):
    if runtime.value != "dotnet":
        return  # Mono does not count by thread
    seen(is_shown)
    bytes_taken = [int(player.do("garbage", "200")) for _ in range(4)]
    assert min(bytes_taken) == 0, bytes_taken
