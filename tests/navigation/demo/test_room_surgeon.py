"""The demo's surgery as the devices of a room see it: recorded in one piece, played, registered as if simulated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration.pivot.pivot import calibrate_pivot
from geometry.frames import REFERENCE, STYLUS
from navigation.acquisition.collect import collect_poses, collect_touch
from navigation.clock import NS_PER_S, VirtualClock
from navigation.demo.performance import perform
from navigation.demo.room_surgeon import COLLECTED, RoomSurgeon
from navigation.demo.surgery import SimulatedSurgeon, find_markers, operate, score
from navigation.devices.tracker import ToolObservation, Tracker, Visibility
from navigation.devices.ultrasound.plus.write import write_transforms
from navigation.errors import AcquisitionError
from navigation.room.read_room import read_room
from navigation.room.room_tracker import open_room
from navigation.simulation.patient import PatientSkin
from tests.navigation.demo.made_patient import made_bone, made_skin

SEED = 5


@pytest.fixture(scope="module")
def skin() -> PatientSkin:
    return PatientSkin(made_skin())


@pytest.fixture(scope="module")
def room_file(skin: PatientSkin, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A room whose device plays the surgery of `SEED`."""
    folder = tmp_path_factory.mktemp("room")
    tools = {REFERENCE: "reference", STYLUS: "stylus"}
    surgery = perform(SimulatedSurgeon(skin, SEED), skin.markers(), made_bone(skin), tuple(tools), rate_hz=20.0)
    write_transforms(folder / "surgery.igs.mha", surgery)
    text = '[devices.plus]\ndriver = "replay"\nfile = "surgery.igs.mha"\nloop = true\n'
    text += "".join(f'[tools.{tool}]\ndevice = "plus"\nrole = "{role}"\n' for tool, role in tools.items())
    path = folder / "or.toml"
    path.write_text(text)
    return path


def played(room_file: Path, clock: VirtualClock) -> Tracker:
    tracker = open_room(read_room(room_file).only((REFERENCE, STYLUS)).devices, clock)
    tracker.start()
    return tracker


@pytest.mark.parametrize("joined_s", [0.0, 30.0], ids=["from the beginning", "joined in its middle"])
def test_a_played_surgery_is_registered_as_with_the_simulator(
    room_file: Path, skin: PatientSkin, joined_s: float
) -> None:
    clock = VirtualClock()
    tracker = played(room_file, clock)
    clock.advance_ns(round(joined_s * NS_PER_S))
    asked: list[str] = []
    simulated = SimulatedSurgeon(skin, SEED)
    targets = {"deep": skin.centre_mm + [20.0, 10.0, 5.0], "side": skin.centre_mm + [-70.0, 20.0, 40.0]}
    markers, bone = skin.markers(), made_bone(skin)
    surgery = operate(
        RoomSurgeon(tracker, STYLUS, asked.append),
        markers,
        find_markers(markers, SEED),
        targets,
        made_skin(),
        COLLECTED,
        bone,
    )
    truth = score(surgery, simulated.room)
    assert len(asked) == 1 + 6 + 1 + 2
    assert truth.tip_error_mm < 1.0
    assert max(truth.tre_mm.values()) < 1.5  # the demo's bar
    for name, point_ct in bone.items():
        # Tracker, hand (0.3 mm each axis) and tip; another bone is 40 mm away.
        touched = surgery.bone[name].point_reference_mm
        assert np.linalg.norm(touched - simulated.room.T_reference_ct.apply(point_ct)) < 3.0


def test_a_stylus_that_never_comes_back_is_an_error_that_says_what_was_waited_for(room_file: Path) -> None:
    clock = VirtualClock()
    tracker = played(room_file, clock)
    surgeon = RoomSurgeon(tracker, "reference", lambda step: None)  # always in sight
    with pytest.raises(AcquisitionError, match=r"no beginning of the pivot within 180 s; the stylus: visible"):
        surgeon.pivot()
    assert clock.now_ns() > 180 * NS_PER_S


def test_a_device_that_is_gone_is_an_error_that_says_why(room_file: Path) -> None:
    path = room_file.with_name("once.toml")
    path.write_text(room_file.read_text().replace("loop = true", ""))
    clock = VirtualClock()
    tracker = played(path, clock)
    clock.advance_ns(200 * NS_PER_S)
    with pytest.raises(AcquisitionError, match="the recording has ended"):
        RoomSurgeon(tracker, STYLUS, lambda step: None).pivot()


def surgery_without(skin: PatientSkin, room_file: Path, name: str, lost: Callable[[float], str]) -> RoomSurgeon:
    """The surgery with what is `lost` of it at each of its seconds: the stylus, the frame, or nothing."""
    frames = []
    tools = (REFERENCE, STYLUS)
    for frame in perform(SimulatedSurgeon(skin, SEED), skin.markers(), made_bone(skin), tools, rate_hz=20.0):
        what = lost(frame.capture_ns / NS_PER_S - 1.0)
        if what == STYLUS:
            hidden = ToolObservation(Visibility.OCCLUDED, reason="behind the reference")
            frames.append(replace(frame, tools={**frame.tools, STYLUS: hidden}))
        elif not what:
            frames.append(frame)
    path = room_file.with_name(f"{name}.toml")
    write_transforms(path.with_suffix(".igs.mha"), frames)
    path.write_text(room_file.read_text().replace("surgery.igs.mha", f"{name}.igs.mha"))
    return RoomSurgeon(played(path, VirtualClock()), STYLUS, lambda step: None)


# The second touch: after 3.5 s in the tray, 12 s of pivot, 1.5 s, 2.5 s of the first touch and 1.5 s.
@pytest.mark.parametrize(
    ("lost", "told"),
    [
        (
            lambda t_s: STYLUS if 20.9 < t_s < 23.6 else "",
            r"a stylus out of sight for 5\.\d s before the touch",
        ),
        (lambda t_s: "frame" if 19.4 < t_s < 21.1 else "", r"no frame for 1\.\d s before the touch of second"),
    ],
    ids=["hidden for all of the step", "its beginning without frames"],
)
def test_a_step_that_was_missed_is_not_taken_for_the_next(
    room_file: Path, skin: PatientSkin, lost: Callable[[float], str], told: str
) -> None:
    surgeon = surgery_without(skin, room_file, "missed", lost)
    T_stylus_tip = calibrate_pivot(collect_poses(surgeon.pivot(), STYLUS, 8.0)).T_stylus_stylus_tip
    collect_touch(surgeon.touch("first", np.zeros(3), np.zeros(3)), T_stylus_tip)
    with pytest.raises(AcquisitionError, match=told):
        surgeon.touch("second", np.zeros(3), np.zeros(3))
