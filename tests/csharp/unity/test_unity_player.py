"""The sample scene plays against the Python servers: what would be seen, in a stub of Unity with the real package."""

import contextlib
import dataclasses

import numpy as np
import pytest
from rich.console import Console
from scipy.spatial.transform import Rotation

from geometry.surface import Surface
from geometry.transform import Transform
from navigation.commands.keys.run import Address, enroll, new_keys, revoke
from navigation.headset.server_keys import open_security
from tests.csharp.unity.unity_builds import build_player
from tests.csharp.unity.unity_player import UnityPlayer
from tests.unity_bridge.harness import CLOCK, Server
from unity_bridge import ToolState, encode_surface
from unity_bridge.control.event_handler import NoEventHandler
from unity_bridge.control.event_window import Outcome
from unity_bridge.wire.convention import pose_to_unity
from unity_bridge.wire.envelope import Validity

IDENTITY = [0.0, 0.0, 0.0, 1.0]


def pose(to_frame: str, from_frame: str, seed: int) -> Transform:
    """Turned about all axes and away from the origin: a mistake in any of them shows."""
    rng = np.random.default_rng(seed)
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(rng.uniform(-1.0, 1.0, 3)).as_matrix()
    matrix[:3, 3] = rng.uniform(-200.0, 200.0, 3)
    return Transform(matrix, to_frame, from_frame)


POSES = {
    "reference": pose("tracker", "reference", 1),
    "stylus": pose("reference", "stylus_tip", 2),
    "patient": pose("reference", "ct", 3),
}


class Handler(NoEventHandler):
    """Keeps every event, and accepts it."""

    def __init__(self) -> None:
        self.events = []

    def handle(self, event, sender):
        self.events.append(event)
        return Outcome("kept")


class Room:
    """A server and what it says of each tool; `work` is one round of it."""

    def __init__(self, security=None) -> None:
        self.handler = Handler()
        self.server = Server(handler=self.handler, security=security)
        self.tools = {name: self.valid(name) for name in POSES}
        self.is_moving = False

    @staticmethod
    def valid(name: str) -> ToolState:
        T_to_from = POSES[name]
        return ToolState(
            tool=name,
            to_frame=T_to_from.to_frame,
            from_frame=T_to_from.from_frame,
            validity=Validity.VALID,
            T_to_from=T_to_from,
            expected_error_mm={"stylus": 0.6, "patient": 0.8}.get(name),
            registration_id="registration-1" if name == "patient" else "",
        )

    def say(self, name: str, validity: Validity, reason: str) -> None:
        """A lost tool without a pose, another with the one it has."""
        lost = validity is Validity.LOST
        self.tools[name] = dataclasses.replace(
            self.valid(name),
            validity=validity,
            reason=reason,
            T_to_from=None if lost else POSES[name],
            expected_error_mm=None if lost else self.valid(name).expected_error_mm,
        )

    def work(self) -> None:
        if self.is_moving:
            matrix = POSES["stylus"].matrix.copy()
            matrix[0, 3] += self.server.poses.last_sequence % 100
            moved = Transform(matrix, "reference", "stylus_tip")
            self.tools["stylus"] = dataclasses.replace(self.valid("stylus"), T_to_from=moved)
        self.server.poses.publish(list(self.tools.values()), CLOCK.now_ns())
        self.server.serve()

    def offer(self, name: str, size_mm: float = 100.0, frame: str = "ct"):
        """An irregular tetrahedron; returns its payload."""
        corners = np.array([[0.0, 0.0, 0.0], [1.0, 0.1, 0.0], [0.2, 0.9, 0.0], [0.3, 0.2, 0.8]]) * size_mm
        triangles = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
        payload = encode_surface(Surface(corners, triangles, frame, name))
        self.server.surfaces.offer(payload, "approved", "Dr. A. Example")
        return payload


@pytest.fixture(scope="session")
def player_program(tools, core_assembly):
    return build_player(core_assembly, tools)


@pytest.fixture
def room():
    room = Room()
    with contextlib.closing(room.server):
        yield room


@pytest.fixture
def start_player(player_program, tools, runtime, tmp_path, room):
    """Presses play: the sample scene, with the room's server in the place of the file's; `room` is closed after it."""
    with contextlib.ExitStack() as stack:

        def start(room: Room, *before: str) -> UnityPlayer:
            player = UnityPlayer(player_program, tools, runtime, room.work, tmp_path)
            stack.callback(player.close)
            player.load(
                *before,
                poseEndpoint=room.server.endpoints.poses,
                surfaceEndpoint=room.server.endpoints.surfaces,
                controlEndpoint=room.server.endpoints.control,
            )
            return player

        yield start


@pytest.fixture
def player(start_player, room):
    return start_player(room)


def displays(shown) -> dict[str, str]:
    return {name: frame["display"] for name, frame in shown["frames"].items() if name in POSES}


def all_shown(shown) -> bool:
    return set(displays(shown).values()) == {"Shown"}


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


def test_the_readout_says_the_distance_and_what_it_may_be_off_by(player, room):
    """The sample's target is the CT's origin; the errors, 0.6 and 0.8 mm, together are 1.0 mm."""
    expected_mm = np.linalg.norm(POSES["stylus"].matrix[:3, 3] - POSES["patient"].matrix[:3, 3])
    words = player.until(lambda shown: all_shown(shown) and " mm" in shown["texts"]["Readout"])["texts"]["Readout"]
    assert words.startswith(f"{expected_mm:.1f} mm")
    assert words.endswith("± 1.0 mm expected")
    room.say("stylus", Validity.LOST, "covered")
    player.until(lambda shown: shown["texts"]["Readout"] == "covered")


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
    player.until(all_shown)
    assert int(player.do("garbage", "200")) == 0
    room.is_moving = True
    assert int(player.do("garbage", "200")) > 0, "the readout's changing digits: the count counts nothing"
