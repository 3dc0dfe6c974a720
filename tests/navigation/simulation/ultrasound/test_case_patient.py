"""Ultrasound of a case's patient in a room file: on the skin, of the CT, at the place that the tracker sees."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration.ultrasound_probe.results import image_map_of
from case.case import Case
from geometry.frames import PROBE
from navigation.clock import NS_PER_S, VirtualClock
from navigation.devices.driver import CasePatient, Device
from navigation.devices.simulated import DRIVER
from navigation.errors import DeviceError
from navigation.room.read_room import room_in
from navigation.simulation.operating_room import OperatingRoom
from navigation.simulation.ultrasound.scan_path import CONVEX, true_columns_mm
from navigation.simulation.ultrasound.tissue import GAS
from reconstruction.phantom.torso import TorsoPhantom
from reconstruction.ultrasound.frame_state import FrameJudge, FrameState
from tests.navigation.simulation.ultrasound.phantom_case import TIME, phantom_case

ROOM = b"""
[devices.camera]
driver = "simulated"
seed = 5
ultrasound = "patient"
image_lag_ms = -40.0
[tools.reference]
device = "camera"
role = "reference"
[tools.probe]
device = "camera"
role = "probe"
"""
START_NS = 7 * NS_PER_S


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TorsoPhantom]:
    return phantom_case(tmp_path_factory.mktemp("patient") / "case")


def device_in(content: bytes, folder: Path) -> Device:
    (device,) = room_in(content, folder / "or.toml").devices
    return device


@pytest.fixture(scope="module")
def device(patient: tuple[Path, TorsoPhantom], tmp_path_factory: pytest.TempPathFactory) -> Device:
    case, stated = patient[0], device_in(ROOM, tmp_path_factory.mktemp("room"))
    about = CasePatient(case, lambda: Case.open(case).read_surface("body"))
    return pickle.loads(pickle.dumps(DRIVER.about_patient(stated, about, START_NS)))  # as another process has it


def test_the_probe_lies_on_the_skin_and_the_tracker_sees_it_there(device: Device, patient) -> None:
    room, phantom = OperatingRoom(device.settings), patient[1]
    tracker = DRIVER.open(device, clock := VirtualClock(START_NS))
    tracker.start()
    face = true_columns_mm(CONVEX) @ [*CONVEX.face_px, 1.0]
    off_mm, seen = [], 0
    for _ in range(200):
        clock.sleep_until_ns(clock.now_ns() + NS_PER_S // 20)
        frame = tracker.next_frame(NS_PER_S)
        observed = frame.tools[PROBE].T_tracker_tool
        T_reference_probe = room.pose_in_reference(PROBE, frame.capture_ns)
        if T_reference_probe is None or observed is None:
            continue
        seen += 1
        face_ct = room.true_reference_ct(frame.capture_ns).inverse().apply(T_reference_probe.apply(face))
        off_mm.append(phantom.signed_distance_mm("body", face_ct[None])[0])
        np.testing.assert_allclose(observed.translation_mm, room.pose(PROBE, frame.capture_ns).translation_mm, atol=1.5)
    assert seen > 150
    # The CT's voxels are 3 mm, and the hand trembles.
    assert np.abs(off_mm).max() < 3.0


def test_its_images_are_the_tissues_of_the_ct_there(device: Device, patient) -> None:
    phantom, scan = patient[1], device.settings.scan
    images = DRIVER.images(device, clock := VirtualClock(START_NS))
    images.start()
    judge, usable, agree = FrameJudge(None), 0, []
    for number in range(12):
        clock.sleep_until_ns(START_NS + number * NS_PER_S)
        frame = images.next_frame(NS_PER_S)
        usable += judge.judge(frame.pixels, frame.capture_ns, frame.pixel_mm).state is FrameState.USABLE
        t_s = (frame.capture_ns - 40_000_000) / NS_PER_S
        np.testing.assert_array_equal(frame.pixels, scan.image(t_s))
        labels = scan.scan.labels(t_s)
        y, x = np.mgrid[20:300:7, 60:340:7].reshape(2, -1)
        y, x = y[labels[y, x] != 255], x[labels[y, x] != 255]
        points_ct = np.column_stack([x, y, np.zeros_like(x), np.ones_like(x)]) @ scan.path.T_ct_image_px(t_s)[:3].T
        inside_mm = phantom.signed_distance_mm("body", points_ct)
        clear = np.abs(inside_mm) > 4.0  # beyond the CT's voxels
        tissues = scan.scan.simulator.tissue.tissues
        is_gas = labels[y, x] == tissues.index(GAS)
        lung_mm = phantom.signed_distance_mm("lung", points_ct)
        agree += (is_gas[clear & (inside_mm > 0)]).tolist()
        agree += (~is_gas[clear & (inside_mm < 0) & (lung_mm > 4.0)]).tolist()
    assert usable >= 10
    assert np.mean(agree) > 0.97, "but for the gas of the stomach"


def test_its_probe_is_calibrated_there_and_as_it_truly_is(device: Device) -> None:
    spatial, temporal = DRIVER.rehearse_probe(device, TIME)
    found = image_map_of(spatial)
    corners = np.array([[0, 0], [399, 0], [0, 339], [399, 339]], float)
    true_mm = np.column_stack([corners, np.ones(4)]) @ true_columns_mm(CONVEX).T
    assert np.linalg.norm(found.to_probe_mm(corners) - true_mm, axis=1).max() < 1.5
    assert abs(temporal.numbers["lag_ms"] + 40.0) < 4.0
    assert spatial.numbers["scan_depth_mm"] == CONVEX.depth_mm


def test_without_a_case_and_with_a_calibration_it_is_refused(tmp_path: Path) -> None:
    device = device_in(ROOM, tmp_path)
    assert DRIVER.rehearse_probe(device, TIME) == ()
    with pytest.raises(DeviceError, match="'patient' without a case"):
        DRIVER.images(device, VirtualClock())
    tools = tuple(replace(tool, rack_name="probe_9l") if tool.name == PROBE else tool for tool in device.tools)
    (said,) = DRIVER.check(replace(device, tools=tools))
    assert "got calibration = 'probe_9l' on the simulated patient" in said
    assert DRIVER.check(device) == []
