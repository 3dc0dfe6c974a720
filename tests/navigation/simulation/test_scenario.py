"""Each event of a scenario does to the poses what it says, against the truth that is kept."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry.frames import REFERENCE, STYLUS
from geometry.points import Floats
from navigation.clock import NS_PER_S, VirtualClock
from navigation.devices.simulated import SCENARIOS, shipped_scenarios
from navigation.devices.tracker import TrackerFrame, Visibility
from navigation.room.read_room import RoomFileError, read_room
from navigation.simulation.actions import Touch
from navigation.simulation.cue import Cue
from navigation.simulation.operating_room import OperatingRoom, OperatingRoomConfig, open_simulated_tracker
from navigation.simulation.optical_tracker import OpticalTrackerSettings
from navigation.simulation.patient import shaft_directions
from navigation.simulation.scenario import KINDS, Scenario, read_scenario

CENTRE = np.array([5.0, -20.0, 900.0])
POINT = CENTRE + [30.0, -110.0, 20.0]
RATE_HZ = 20.0
# A tracker without errors: what remains is the scenario's doing.
EXACT = OpticalTrackerSettings(rate_hz=RATE_HZ, sphere_error_rms_mm=0.0, jitter_rms_mm=0.0, dropout_probability=0.0)


def room_with(**events: object) -> OperatingRoomConfig:
    """The stylus is held on `POINT`; `events` begin at 1 s unless they say otherwise."""
    bare = OperatingRoom(OperatingRoomConfig(seed=2, centre_ct_mm=CENTRE))
    shaft = shaft_directions(np.array([[0.0, -1.0, 0.0]]), bare.towards_camera_ct)[0]
    lists = {kind: [{"from_s": 1.0, **event}] for kind, event in events.items()}
    return OperatingRoomConfig(
        seed=2,
        centre_ct_mm=CENTRE,
        action=Touch(POINT, shaft, tremor_mm=0.0),
        tracker=EXACT,
        tools=(REFERENCE, STYLUS, "driver"),
        scenario=Scenario.model_validate({"name": "made", **lists}),
        epoch_ns=5 * NS_PER_S,
    )


def watched(config: OperatingRoomConfig, seconds: float = 2.0) -> list[tuple[float, TrackerFrame]]:
    """Frames with the time of their arrival in s since the scenario began."""
    clock = VirtualClock(config.epoch_ns)
    tracker = open_simulated_tracker(config, clock)
    tracker.start()
    frames = []
    while (now_s := (clock.now_ns() - config.epoch_ns) / NS_PER_S) < seconds:
        if (frame := tracker.next_frame(NS_PER_S // 100)) is not None:
            frames.append(((clock.now_ns() - config.epoch_ns) / NS_PER_S, frame))
        assert now_s < seconds
    return frames


def at(frames: list[tuple[float, TrackerFrame]], t_s: float) -> TrackerFrame:
    """The last frame that had arrived."""
    return [frame for came_s, frame in frames if came_s <= t_s + 1e-6][-1]


def tip_reference(frame: TrackerFrame, tip_mm: Floats) -> Floats:
    reference, stylus = (frame.tools[tool].T_tracker_tool for tool in (REFERENCE, STYLUS))
    return (reference.inverse() @ stylus).apply(tip_mm)


def test_an_occlusion_hides_its_tool_while_it_lasts() -> None:
    frames = watched(room_with(occlusion={"tool": STYLUS, "to_s": 1.5}))
    seen = {t_s: at(frames, t_s).tools[STYLUS].visibility for t_s in (0.5, 1.2, 1.7)}
    assert seen == {0.5: Visibility.VISIBLE, 1.2: Visibility.OCCLUDED, 1.7: Visibility.VISIBLE}
    assert at(frames, 1.2).tools[REFERENCE].visibility is Visibility.VISIBLE


def test_a_bumped_reference_moves_by_what_it_says_and_the_registration_is_off_by_that() -> None:
    config = room_with(bumped_reference={"translation_mm": [6.0, 0.0, 0.0], "rotation_deg": [0.0, 4.0, 0.0]})
    frames, room = watched(config), OperatingRoom(config)
    before, after = (at(frames, t_s).tools[REFERENCE].T_tracker_tool for t_s in (0.5, 1.5))
    moved = before.inverse() @ after
    np.testing.assert_allclose(moved.translation_mm, [6.0, 0.0, 0.0], atol=1e-6)
    assert np.rad2deg(moved.rotation.magnitude()) == pytest.approx(4.0, abs=1e-6)
    begun_ns = config.epoch_ns
    old, new = (room.true_reference_ct(begun_ns + t_ns) for t_ns in (0, 2 * NS_PER_S))
    np.testing.assert_allclose(old.matrix, room.T_reference_ct.matrix, atol=1e-9)
    np.testing.assert_allclose((old @ new.inverse()).matrix, moved.matrix, atol=1e-6)


def test_a_bent_stylus_points_elsewhere_than_its_calibration_says() -> None:
    config = room_with(bent_stylus={"tip_mm": [8.0, 0.0, -1.0]})
    frames, room = watched(config), OperatingRoom(config)
    true = room.T_reference_ct.apply(POINT)
    calibrated = room.tip_stylus_mm
    np.testing.assert_allclose(tip_reference(at(frames, 0.5), calibrated), true, atol=1e-6)
    off = tip_reference(at(frames, 1.5), calibrated) - true
    assert np.linalg.norm(off) == pytest.approx(np.hypot(8.0, 1.0), abs=1e-6)
    late_ns = config.epoch_ns + 2 * NS_PER_S
    np.testing.assert_allclose(tip_reference(at(frames, 1.5), room.tip_mm(late_ns)), true, atol=1e-6)
    np.testing.assert_allclose(room.tip_ct_mm(late_ns), POINT, atol=1e-6)


def test_a_breath_lifts_the_body_and_not_the_reference() -> None:
    config = room_with(breathing={"amplitude_mm": 10.0, "period_s": 4.0})
    frames, room = watched(config, 3.5), OperatingRoom(config)
    rise = tip_reference(at(frames, 3.0), room.tip_stylus_mm) - tip_reference(at(frames, 0.5), room.tip_stylus_mm)
    forward = room.T_reference_ct.rotate(np.array([0.0, -1.0, 0.0]))
    np.testing.assert_allclose(rise, 10.0 * forward, atol=1e-6)  # 2 s after it began: full inspiration
    np.testing.assert_allclose(
        at(frames, 3.0).tools[REFERENCE].T_tracker_tool.matrix,
        at(frames, 0.5).tools[REFERENCE].T_tracker_tool.matrix,
        atol=1e-9,
    )
    inhaled = room.true_reference_ct(config.epoch_ns + 3 * NS_PER_S)
    np.testing.assert_allclose(inhaled.apply(POINT), room.T_reference_ct.apply(POINT) + 10.0 * forward, atol=1e-6)


def test_a_moved_camera_sees_everything_elsewhere_and_all_relations_as_before() -> None:
    config = room_with(moved_camera={"translation_mm": [60.0, 0.0, 0.0], "rotation_deg": [0.0, -2.0, 0.0]})
    frames, room = watched(config), OperatingRoom(config)
    before, after = (at(frames, t_s).tools[REFERENCE].T_tracker_tool for t_s in (0.5, 1.5))
    np.testing.assert_allclose(
        after.translation_mm,
        Rotation.from_euler("y", 2.0, degrees=True).apply(before.translation_mm - [60.0, 0.0, 0.0]),
        atol=1e-6,
    )
    tips = [tip_reference(at(frames, t_s), room.tip_stylus_mm) for t_s in (0.5, 1.5)]
    np.testing.assert_allclose(tips[0], tips[1], atol=1e-6)


def test_swapped_tools_have_each_others_poses_and_their_own_names() -> None:
    config = room_with(swapped_tools={"tools": [STYLUS, "driver"], "to_s": 1.5})
    frames, room = watched(config), OperatingRoom(config)
    frame = at(frames, 1.2)
    assert frame.tools[STYLUS].T_tracker_tool.from_frame == STYLUS
    np.testing.assert_allclose(
        frame.tools[STYLUS].T_tracker_tool.matrix, room.pose("driver", frame.capture_ns).matrix, atol=1e-6
    )
    later = at(frames, 1.9)
    np.testing.assert_allclose(
        later.tools[STYLUS].T_tracker_tool.matrix, room.pose(STYLUS, later.capture_ns).matrix, atol=1e-6
    )


def ages_ms(frames: list[tuple[float, TrackerFrame]], config: OperatingRoomConfig, from_s: float) -> list[float]:
    return [
        1e3 * came_s - (frame.capture_ns - config.epoch_ns) / 1e6 for came_s, frame in frames if came_s > from_s + 1e-6
    ]


def test_latency_makes_frames_older_and_their_stamps_stay_honest() -> None:
    config = room_with(latency={"latency_ms": 180.0})
    frames = watched(config)
    assert max(ages_ms([each for each in frames if each[0] < 1.0], config, 0.0)) == pytest.approx(0.0, abs=1e-3)
    assert ages_ms(frames, config, 1.0) == pytest.approx([180.0] * len(ages_ms(frames, config, 1.0)), abs=1e-3)


def test_dropped_frames_are_missing_by_their_numbers() -> None:
    config = room_with(dropped_frames={"share": 0.5})
    numbers = [frame.sequence for _, frame in watched(config, 11.0)]
    missing = numbers[-1] - len(numbers)
    assert missing == pytest.approx(0.5 * 10.0 * RATE_HZ, abs=25)  # 200 frames: a standard deviation is 7
    assert numbers[: round(RATE_HZ) - 1] == list(range(1, round(RATE_HZ)))


def test_late_frames_come_after_newer_ones() -> None:
    config = room_with(late_frames={"share": 0.3, "late_ms": 120.0})
    frames = watched(config, 5.0)
    steps = np.diff([frame.sequence for _, frame in frames])
    assert (steps[: round(RATE_HZ) - 2] == 1).all()
    assert (steps < 0).any()
    assert max(ages_ms(frames, config, 0.0)) == pytest.approx(120.0, abs=1e-3)


def test_a_clock_that_jumps_stamps_what_comes_after_it() -> None:
    config = room_with(clock_jump={"jump_ms": 400.0})
    frames = watched(config)
    assert at(frames, 0.9).capture_ns - config.epoch_ns == pytest.approx(0.9 * NS_PER_S, abs=1)
    assert min(ages_ms(frames, config, 1.0)) == pytest.approx(-400.0, abs=1e-3)


def test_every_scenario_that_ships_is_read_and_together_they_have_every_kind() -> None:
    scenarios = [read_scenario(SCENARIOS / f"{name}.toml") for name in shipped_scenarios()]
    assert {kind for scenario in scenarios for kind, _ in scenario.events()} == set(KINDS)


ROOM = """
[devices.camera]
driver = "simulated"
scenario = "{scenario}"

[tools.reference]
device = "camera"
role = "reference"

[tools.stylus]
device = "camera"
role = "stylus"
"""


def mistakes(folder: Path, scenario: str) -> tuple[str, ...]:
    (folder / "made.toml").write_text(scenario)
    (folder / "or.toml").write_text(ROOM.format(scenario="made.toml"))
    with pytest.raises(RoomFileError) as caught:
        read_room(folder / "or.toml")
    return caught.value.mistakes


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        ('name = "a"\n[[occlusions]]\ntool = "stylus"', r"unknown key 'occlusions'.* write 'occlusion'"),
        ('name = "a"\n[[occlusion]]\nfrom = 1.0\ntool = "stylus"', r"unknown key 'from'"),
        ('name = "a"\n[[latency]]\nlatency_s = 0.2', r"no key 'latency.0.latency_ms'"),
        ('name = "a"\n[[occlusion]]\nfrom_s = 3.0\nto_s = 2.0\ntool = "stylus"', r"to_s after from_s"),
        ('name = "a"\n[[dropped_frames]]\nshare = 2.0', r"share = 2.0"),
        ('name = "a"\n[[bent_stylus]]\ntip_mm = [1.0, 2.0]', r"tip_mm"),
        ("[[breathing]]\namplitude_mm = 3.0", r"no key 'name'"),
        ('name = "a', r"what is not TOML"),
        ('name = "a"\n[[occlusion]]\ntool = "probe"', r"about the tool 'probe'; expected tools that it sees"),
    ],
)
def test_a_mistake_in_a_scenario_is_named_like_one_in_the_room_file(tmp_path: Path, scenario: str, said: str) -> None:
    import re

    found = mistakes(tmp_path, scenario)
    assert any(re.search(said, sentence) for sentence in found), found
    assert all(" got " in sentence and "; expected " in sentence and " Fix: " in sentence for sentence in found)


def test_a_scenario_that_ships_is_known_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "or.toml").write_text(ROOM.format(scenario="bent_stylus"))
    assert read_room(tmp_path / "or.toml").devices[0].settings.scenario == SCENARIOS / "bent_stylus.toml"


def test_nothing_happens_before_the_cue_and_everything_after_it() -> None:
    cue = Cue()
    config = replace(room_with(bent_stylus={"tip_mm": [0.0, 3.0, 0.0]}, occlusion={"tool": "driver"}), cue=cue)
    room, begun_ns = OperatingRoom(config), config.epoch_ns + 30 * NS_PER_S
    assert room.pose("driver", begun_ns + 2 * NS_PER_S) is not None
    np.testing.assert_array_equal(room.tip_mm(begun_ns + 2 * NS_PER_S), room.tip_stylus_mm)
    cue.give(begun_ns)
    cue.give(begun_ns + NS_PER_S)  # said again, nothing changes
    for after_s, has_begun in ((0.9, False), (1.1, True)):
        time_ns = begun_ns + round(after_s * NS_PER_S)
        assert (room.pose("driver", time_ns) is None) is has_begun
        bent_mm = np.linalg.norm(room.tip_mm(time_ns) - room.tip_stylus_mm)
        assert bent_mm == pytest.approx(3.0 * has_begun)


def test_a_cue_that_is_given_here_is_heard_by_a_process_that_was_started_before() -> None:
    context, cue = multiprocessing.get_context("spawn"), Cue()
    ours, theirs = context.Pipe()
    process = context.Process(target=say_since, args=(replace(room_with(), cue=cue), theirs), daemon=True)
    process.start()
    assert ours.recv() == float("-inf")
    cue.give(4 * NS_PER_S)
    ours.send("now")
    assert ours.recv() == 6.0
    process.join()


def say_since(config: OperatingRoomConfig, pipe: Connection) -> None:
    room = OperatingRoom(config)
    pipe.send(room.scenario_s(10 * NS_PER_S))
    pipe.recv()
    pipe.send(room.scenario_s(10 * NS_PER_S))
