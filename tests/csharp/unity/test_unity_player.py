"""The sample scene plays against the Python servers: what would be seen, in a stub of Unity with the real package."""

import contextlib
import dataclasses

import numpy as np
import pytest
from rich.console import Console

from navigation.commands.keys.run import Address, enroll, new_keys, revoke
from navigation.headset.server_keys import open_security
from tests.csharp.unity.played_room import POSES, Room, all_shown, displays, pose
from tests.navigation.guidance.harness import BALL_CT, BALL_RADIUS_MM
from unity_bridge.wire.convention import pose_to_unity
from unity_bridge.wire.envelope import Validity

IDENTITY = [0.0, 0.0, 0.0, 1.0]


def test_press_play_and_see_the_tools_where_they_are(player):
    """After the self-test, which the server judges by what the scene's own objects do."""
    shown = player.until(all_shown)
    for name, T_to_from in POSES.items():
        frame = shown["frames"][name]
        expected = pose_to_unity(T_to_from)
        assert frame["position"] == pytest.approx(list(expected.position_m), abs=1e-6)
        rotation = np.array(frame["rotation"])
        assert abs(rotation @ np.asarray(expected.rotation_xyzw)) == pytest.approx(1.0, abs=1e-6)
        assert frame["is_seen"]
        assert frame["reason"] == ""
    shown = player.until(lambda shown: shown["texts"]["Status"] == "test")
    assert shown["log"] == [], "nothing to complain of"


def test_the_chain_of_frames_is_where_the_composition_is(player):
    """In the world: the anchor stands at (0, 0, 1.5) m, unturned."""
    shown = player.until(all_shown)
    tip = pose_to_unity(POSES["reference"] @ POSES["stylus"]).position_m
    assert shown["frames"]["stylus"]["world"] == pytest.approx([tip[0], tip[1], tip[2] + 1.5], abs=1e-5)


def test_a_lost_tool_is_hidden_where_it_was_and_never_at_the_identity(player, room):
    before = player.until(all_shown)["frames"]["stylus"]
    room.say("stylus", Validity.LOST, "covered")
    shown = player.until(lambda shown: displays(shown)["stylus"] == "Hidden")
    lost = shown["frames"]["stylus"]
    assert (lost["is_seen"], lost["validity"], lost["reason"]) == (False, "Lost", "covered")
    assert lost["position"] == pytest.approx(before["position"], abs=1e-6)
    assert lost["rotation"] != IDENTITY
    assert "stylus: covered" in player.until(lambda shown: "covered" in shown["texts"]["Status"])["texts"]["Status"]
    assert displays(shown)["patient"] == "Shown"
    room.tools["stylus"] = room.valid("stylus")
    assert player.until(all_shown)["frames"]["stylus"]["is_seen"]


def test_a_suspect_tool_is_greyed_with_the_reason(player, room):
    player.until(all_shown)
    room.say("stylus", Validity.SUSPECT, "the marker does not fit its design")
    shown = player.until(lambda shown: displays(shown)["stylus"] == "Greyed")
    suspect = shown["frames"]["stylus"]
    assert suspect["is_seen"]
    assert suspect["reason"] == "the marker does not fit its design"
    assert suspect["colour"] == pytest.approx([0.5, 0.5, 0.5, 0.5])


def test_what_hangs_from_a_lost_reference_is_hidden_whatever_the_server_says_of_it(player, room):
    """The server would say so too; the client does not rely on it."""
    player.until(all_shown)
    room.say("reference", Validity.LOST, "covered")
    shown = player.until(lambda shown: set(displays(shown).values()) == {"Hidden"})
    assert not any(shown["frames"][name]["is_seen"] for name in POSES)
    assert "covered" in shown["frames"]["stylus"]["reason"]


def test_a_surface_goes_to_the_graphics_card_byte_for_byte(player, room):
    payload = room.offer("bone")
    shown = player.until(lambda shown: shown["surfaces"].get("bone", {}).get("is_seen"))
    bone = shown["surfaces"]["bone"]
    assert bone["attributes"] == ["Position UNorm16 4 0", "Normal SNorm8 4 0"]
    vertices, indices = bytes.fromhex(bone["vertices"]), bytes.fromhex(bone["indices"])
    assert payload.data.endswith(vertices + indices)
    assert (len(vertices), len(indices)) == (4 * 12, 4 * 3 * 2)
    assert (bone["index_format"], bone["sub_mesh"]) == ("UInt16", [1, 0, 12, 4])
    assert bone["parent"] == "patient"
    header = np.frombuffer(payload.data, "<f8", 4, 16)
    assert bone["position"] == pytest.approx(list(header[:3]), abs=1e-7)
    assert bone["scale"] == pytest.approx([header[3]] * 3, abs=1e-7)
    assert bone["colour"] == pytest.approx([0.93, 0.9, 0.8, 1.0]), "the sample's style for bone"
    assert not bone["is_readable"]
    assert shown["open_mesh_data"] == 0


def test_the_box_of_a_surface_is_that_of_its_vertices(player, room):
    payload = room.offer("bone")
    bone = player.until(lambda shown: shown["surfaces"].get("bone", {}).get("is_seen"))["surfaces"]["bone"]
    steps = np.frombuffer(bytes.fromhex(bone["vertices"]), "<u2").reshape(-1, 6)[:, :3] / 65535.0
    low, high = steps.min(axis=0), steps.max(axis=0)
    assert bone["bounds"] == pytest.approx([*(low + high) / 2, *(high - low)], abs=1e-6)
    assert payload.data


def test_a_newer_surface_takes_the_place_of_the_old_and_a_withdrawn_one_goes(player, room):
    room.offer("bone")
    player.until(lambda shown: shown["surfaces"].get("bone", {}).get("is_seen"))
    newer = room.offer("bone", size_mm=120.0)
    edge = float(np.frombuffer(newer.data, "<f8", 4, 16)[3])
    player.until(
        lambda shown: shown["surfaces"].get("bone", {"scale": [0.0]})["scale"][0] == pytest.approx(edge, abs=1e-7)
    )
    room.server.surfaces.withdraw("bone")
    assert player.until(lambda shown: "bone" not in shown["surfaces"])["open_mesh_data"] == 0


def test_a_graphics_card_that_does_not_take_the_layout_shows_no_anatomy(start_player, room):
    room.offer("bone")
    player = start_player(room, "refuse\tUNorm16")
    words = "this graphics card does not take UNorm16 positions"
    shown = player.until(lambda shown: all_shown(shown) and words in shown["texts"]["Status"])
    assert shown["surfaces"] == {}


def test_anatomy_is_hidden_with_the_registration(player, room):
    room.offer("bone")
    player.until(lambda shown: shown["surfaces"].get("bone", {}).get("is_seen"))
    room.say("patient", Validity.LOST, "not registered")
    shown = player.until(lambda shown: not shown["surfaces"]["bone"]["is_seen"])
    assert shown["surfaces"]["bone"]["reason"] == "not registered"
    room.say("patient", Validity.SUSPECT, "registered again, not yet accepted")
    shown = player.until(lambda shown: shown["surfaces"]["bone"]["is_seen"])
    assert shown["surfaces"]["bone"]["colour"] == pytest.approx([0.5, 0.5, 0.5, 0.5])


@pytest.mark.parametrize(
    ("scale", "reason"),
    [((-1, 1, 1), "mirrors"), ((1, 1, -1), "mirrors"), ((0.5, 0.5, 0.5), "scales"), ((1, 1.01, 1), "scales")],
)
def test_a_hierarchy_that_mirrors_or_scales_shows_nothing(player, scale, reason):
    player.until(all_shown)
    player.move("SurgNav", scale=scale)
    shown = player.until(lambda shown: set(displays(shown).values()) == {"Hidden"})
    assert reason in shown["frames"]["Headset anchor"]["reason"]
    assert not any(shown["frames"][name]["is_seen"] for name in POSES)
    player.move("SurgNav")
    player.until(all_shown)


def test_a_tool_below_the_wrong_frame_is_refused(player, room):
    player.until(all_shown)
    T_tracker_stylus = dataclasses.replace(
        room.valid("stylus"), to_frame="tracker", T_to_from=pose("tracker", "stylus_tip", 2)
    )
    room.tools["stylus"] = T_tracker_stylus
    shown = player.until(lambda shown: displays(shown)["stylus"] == "Hidden")
    assert "its parent is the frame 'reference', its pose is in 'tracker'" in shown["frames"]["stylus"]["reason"]


def test_a_pause_ends_the_link_and_a_resume_makes_it_anew(player):
    player.until(all_shown)
    player.do("pause", "1")
    shown = player.show()
    assert set(displays(shown).values()) == {"Hidden"}
    assert shown["frames"]["stylus"]["reason"] == "the app is paused"
    player.do("pause", "0")
    player.until(all_shown)


def test_a_landmark_goes_to_the_server_where_the_tip_is(player, room):
    player.until(all_shown)
    player.call("Landmarks", "LandmarkPicker", "Touch", "nasion")
    player.until(lambda shown: shown["answers"]["Landmarks"].startswith("accepted"))
    (event,) = room.handler.events
    assert (event.kind, event.name, event.frame, event.tool) == ("landmark_touched", "nasion", "reference", "stylus")
    assert event.position_m == pytest.approx(pose_to_unity(POSES["stylus"]).position_m, abs=1e-5)


def test_a_landmark_of_a_tool_that_is_not_valid_is_not_sent(player, room):
    player.until(all_shown)
    room.say("stylus", Validity.SUSPECT, "found again, settling")
    player.until(lambda shown: displays(shown)["stylus"] == "Greyed")
    assert player.call("Landmarks", "LandmarkPicker", "Touch", "nasion") == "False"
    assert player.show()["answers"]["Landmarks"] == "not sent: stylus: found again, settling"
    assert room.handler.events == []


def test_the_readout_says_the_servers_guidance(player, room):
    """The planned trajectory begins at the CT's origin, along z: the numbers are those of the tip's place in the CT."""
    tip_ct = (POSES["patient"].inverse() @ POSES["stylus"]).matrix[:3, 3]
    shown = player.until(lambda shown: all_shown(shown) and " mm aside" in shown["texts"]["Readout"])
    numbers, risk = shown["texts"]["Readout"].split("\n")
    assert numbers.startswith(
        f"{np.hypot(tip_ct[0], tip_ct[1]):.1f} mm aside   {40.0 - tip_ct[2]:.1f} mm to go   \u00b1 "
    )
    assert "\u00b0" not in numbers, "pivoted, never spun: no axis, no angle"
    distance_mm = np.linalg.norm(tip_ct - BALL_CT) - BALL_RADIUS_MM
    # Beyond its grid, which ends near the vessel, a distance is a bound from below.
    assert 0.8 * distance_mm < float(risk.removeprefix("vessel ").removesuffix(" mm")) < distance_mm
    room.say("stylus", Validity.LOST, "covered")
    assert "covered" in player.until(lambda shown: " mm" not in shown["texts"]["Readout"])["texts"]["Readout"]


def test_an_enrolment_is_kept_and_lets_the_headset_in_again(start_player, tmp_path):
    """`surgnav keys enroll`, the text to Enroll(), and after a restart without it."""
    keys, console = tmp_path / "keys", Console(quiet=True)
    new_keys(keys, console)
    room = Room(open_security(keys))
    with contextlib.closing(room.server):
        ports = [int(each.rpartition(":")[2]) for each in dataclasses.astuple(room.server.endpoints)]
        address = Address(hosts=("127.0.0.1",), poses=ports[0], surfaces=ports[1], control=ports[2])
        player = start_player(room)
        stranger = player.until(lambda shown: shown["texts"]["Status"] and not shown["frames"]["stylus"]["is_seen"])
        assert displays(stranger)["stylus"] == "Hidden"
        wrong = player.call("SurgNav", "SurgNavConnection", "Enroll", "surgnav:2?name=x")
        assert "expected one line that begins with surgnav:1?" in wrong
        enrolment = enroll(keys, "hololens", address, console)
        assert player.call("SurgNav", "SurgNavConnection", "Enroll", enrolment.to_text()) == ""
        player.until(all_shown)
        assert start_player(room).until(all_shown)
        revoke(keys, "hololens", console)
        shown = player.until(lambda shown: displays(shown)["stylus"] == "Hidden")
        assert shown["frames"]["stylus"]["reason"]


def test_frames_without_news_make_no_garbage(player, room, runtime):
    if runtime.value != "dotnet":
        return  # Mono does not count by thread
    player.until(lambda shown: all_shown(shown) and shown["trajectory"]["tip_display"] == "Shown")
    assert int(player.do("garbage", "200")) == 0
    room.is_moving = True
    assert int(player.do("garbage", "200")) > 0, "the readout's changing digits: the count counts nothing"
