"""Two headsets in one room: each sees the reference in a world of its own, and their tools are relative to one."""

from pathlib import Path

import numpy as np
import pytest

from geometry.frames import HEADSET
from navigation.devices.headset.feed import observations
from navigation.errors import RoomError
from navigation.room.read_room import read_room
from navigation.room.room_tracker import open_room
from tests.navigation.devices.headset.harness import Watched, device, free_port
from tests.navigation.devices.headset.player import CLOCK, headset, pose
from unity_bridge.client.observation_link import seen, unseen
from unity_bridge.control.observations import view_of
from unity_bridge.wire.messages import ToolObservations

REFERENCE, STYLUS = pose("reference", 1), pose("stylus", 2)
OTHER_REFERENCE, DRILL = pose("reference", 3), pose("drill", 4)
ROOM = """
[devices.hololens]
driver = "headset"
port = {port}
[devices.quest]
driver = "headset"
port = {port}
{of_quest}
[tools.reference]
device = "hololens"
role = "reference"
[tools.stylus]
device = "hololens"
role = "stylus"
[tools.drill]
device = "quest"
role = "instrument"
{more}"""


def room_file(folder: Path, of_quest: str = 'reference = "Cube"', port: int = 5572, more: str = "") -> Path:
    path = folder / "or.toml"
    path.write_text(ROOM.format(port=port, of_quest=of_quest, more=more))
    return path


def test_tools_of_the_second_headset_are_placed_by_the_reference_that_both_see(tmp_path):
    port = free_port()
    room = read_room(room_file(tmp_path, port=port))
    assert [each.name for each in room.devices] == ["hololens", "quest"]
    tracker = open_room(room.devices, CLOCK)
    address = f"tcp://127.0.0.1:{port}"
    tracker.start()
    try:
        watched = Watched(tracker)
        with headset(address, "hololens") as first, headset(address, "quest") as second:
            drill = seen("drill", DRILL, covariance=np.diag([1e-6, 1e-6, 1e-6, 1.0, 4.0, 9.0]))
            both = (seen("reference", REFERENCE), seen("stylus", STYLUS))

            def sees_drill() -> bool:
                second.show(seen("Cube", OTHER_REFERENCE), drill)
                second.step(0)
                return watched.sees("drill")

            first.until(sees_drill, *both)
            tools = watched.frame.tools
            relative = tools["reference"].T_tracker_tool.inverse() @ tools["drill"].T_tracker_tool
            np.testing.assert_allclose(relative.matrix, (OTHER_REFERENCE.inverse() @ DRILL).matrix, atol=1e-9)
            spread = np.linalg.eigvalsh(tools["drill"].covariance)
            np.testing.assert_allclose(spread, [1e-6, 1e-6, 1e-6, 1.0, 4.0, 9.0], rtol=1e-6)
            to_world = tools["reference"].T_tracker_tool.rotation_matrix @ OTHER_REFERENCE.rotation_matrix.T
            np.testing.assert_allclose(
                tools["drill"].covariance[3:, 3:], to_world @ np.diag([1.0, 4.0, 9.0]) @ to_world.T, atol=1e-9
            )

            def lost_drill() -> bool:
                second.show(seen("Cube", OTHER_REFERENCE), drill)
                second.step(0)
                return not watched.sees("drill")

            first.until(lost_drill, unseen("reference", "covered"), both[1])
            assert "relative to the reference, which is not seen: covered" in watched.frame.tools["drill"].why
    finally:
        tracker.stop()


def test_a_headset_that_does_not_see_its_reference_has_no_tools():
    message = ToolObservations(
        frame=HEADSET,
        anchor="place-1",
        number=1,
        seen_ns=1,
        clock_error_ns=0,
        tools=(unseen("Cube", "too dark"), seen("Drill", DRILL)),
    )
    view = view_of(message, {"Cube": "reference", "Drill": "drill"})
    drill = observations(device(5572, "quest", ("drill",)), view, "Cube")["drill"]
    assert (drill.T_tracker_tool, drill.why) == (None, "the headset does not see the reference: too dark")


@pytest.mark.parametrize(
    ("of_quest", "more", "said"),
    [
        ("", "", "tools seen by quest, and the reference by hololens, with no pose between the two"),
        (
            "",
            '[devices.quest.pose]\nseen_from = "hololens"\ntranslation_mm = [9, 9, 99]\nquaternion_xyzw = [0, 0, 0, 1]',
            "it places its world anew at every start",
        ),
        ('reference = "drill"', "", "or has a tool of this name"),
        ('reference = "Cube"\ntakes_touches = true', "", "a headset without a reference and a stylus"),
        ('refrence = "Cube"', "", "write 'reference'"),
    ],
)
def test_mistakes_in_such_a_room_are_told(tmp_path, of_quest, more, said):
    with pytest.raises(RoomError) as mistakes:
        read_room(room_file(tmp_path, of_quest, more=more))
    assert said in str(mistakes.value)
