"""The probe on the patient: its path and its marker against the image's plane, and images along it."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from calibration.ultrasound_probe.scan_geometry import ScanGeometry
from geometry.frames import PROBE, REFERENCE
from navigation.clock import NS_PER_S, VirtualClock
from navigation.devices.registry import driver_of
from navigation.devices.tracker import Visibility
from navigation.simulation.operating_room import (
    OperatingRoom,
    OperatingRoomConfig,
    open_simulated_tracker,
    simulated_device,
)
from navigation.simulation.ultrasound.formation import UltrasoundSimulator
from navigation.simulation.ultrasound.images import SimulatedImages
from navigation.simulation.ultrasound.patient_scan import PatientScan, ScannedPatient
from navigation.simulation.ultrasound.scan_path import ScanPath, true_columns_mm
from navigation.simulation.ultrasound.tissue import BONE, GAS, MUSCLE, TissueGrid

GEOMETRY = ScanGeometry.convex((220, 200), (0.4, 0.4), radius_mm=50.0, half_angle_rad=0.5, depth_mm=70.0)
CENTRE = np.array([10.0, -60.0, 200.0])
INTO = np.array([0.0, -1.0, 0.0])
# A back at y = 0, and a plate of bone 30 mm below it.
TISSUE = TissueGrid.of_shapes(
    {MUSCLE: lambda points: points[:, 1], BONE: lambda points: np.abs(points[:, 1] + 35.0) - 5.0},
    GAS,
    np.array([[-60.0, -80.0, 120.0], [80.0, 20.0, 280.0]]),
    spacing_mm=1.0,
)


def a_path(begins_s: float = 0.0) -> ScanPath:
    outside = np.column_stack([np.full(9, 10.0), np.full(9, 15.0), np.linspace(160.0, 240.0, 9)])
    return ScanPath(TISSUE.skin_under(outside, INTO), np.array([1.0, 0.2, 0.0]), INTO, GEOMETRY, 8.0, begins_s)


def test_the_face_is_put_on_the_skin_with_gel():
    assert a_path().faces_ct_mm[:, 1] == pytest.approx(0.5, abs=0.8)


def test_the_marker_moves_with_the_image():
    path, columns = a_path(), true_columns_mm(GEOMETRY)
    corners = np.array([[0.0, 0.0, 1.0], [219.0, 0.0, 1.0], [40.0, 199.0, 1.0]])
    for t_s in (0.0, 0.9, 3.3):
        image = path.T_ct_image_px(t_s)
        in_ct = corners[:, :2] @ image[:3, :2].T + image[:3, 3]
        assert path.T_ct_probe(t_s).apply(corners @ columns.T) == pytest.approx(in_ct, abs=1e-9)
        assert np.linalg.det(image[:3, :3]) == pytest.approx(0.4**3)


def test_the_path_goes_there_and_back_from_when_it_begins():
    path = a_path(begins_s=100.0)
    face = np.array([*GEOMETRY.face_px, 0.0, 1.0])
    places = [(path.T_ct_image_px(100.0 + t_s) @ face)[2] for t_s in (0.0, 4.0, 8.0)]
    assert places == pytest.approx([160.0, 240.0, 160.0], abs=0.3)


def test_the_camera_sees_the_probe_on_the_back_of_a_patient_who_lies_on_the_belly():
    for seed in range(6):
        clock = VirtualClock(NS_PER_S)
        scanned = ScannedPatient(tissue=Path("nowhere.npz"), path=a_path(1.0), lag_ms=0.0)
        config = OperatingRoomConfig(seed=seed, centre_ct_mm=CENTRE, tools=(REFERENCE, PROBE), scan=scanned, prone=True)
        tracker, room = open_simulated_tracker(config, clock), OperatingRoom(config)
        assert room.towards_camera_ct[1] > 0.8
        tracker.start()
        seen = off_mm = 0.0
        for _ in range(100):
            frame = tracker.next_frame(NS_PER_S)
            poses = [frame.tools[tool] for tool in (REFERENCE, PROBE)]
            if all(each.visibility is Visibility.VISIBLE for each in poses):
                seen += 1
                T_reference_probe = poses[0].T_tracker_tool.inverse() @ poses[1].T_tracker_tool
                face_probe = true_columns_mm(GEOMETRY) @ [*GEOMETRY.face_px, 1.0]
                at_s = frame.capture_ns / NS_PER_S
                true_ct = (scanned.path.T_ct_image_px(at_s) @ [*GEOMETRY.face_px, 0.0, 1.0])[:3]
                off_mm += np.linalg.norm(T_reference_probe.apply(face_probe) - room.T_reference_ct.apply(true_ct))
        assert seen > 95
        assert 0.02 < off_mm / seen < 1.5


def test_a_source_shows_what_was_seen_a_lag_before_its_stamp():
    clock = VirtualClock(5 * NS_PER_S)
    scan = PatientScan(UltrasoundSimulator(TISSUE, GEOMETRY), a_path(4.0))
    source = SimulatedImages(scan, -40_000_000, clock, rate_hz=30.0, pixel_mm=(0.4, 0.4))
    source.start()
    frames = [source.next_frame(NS_PER_S) for _ in range(3)]
    assert [frame.sequence for frame in frames] == [0, 1, 2]
    assert frames[2].capture_ns - frames[0].capture_ns == pytest.approx(2 * NS_PER_S / 30, abs=10)
    assert (frames[1].pixels == scan.image(frames[1].capture_ns / NS_PER_S - 0.04)).all()
    assert frames[1].pixel_mm == (0.4, 0.4)
    # The truth of that image: the bone's plate, 30 mm below the skin with its gel.
    surface = scan.surface_px(5.0, BONE)
    in_ct = surface @ scan.path.T_ct_image_px(5.0)[:3, :2].T + scan.path.T_ct_image_px(5.0)[:3, 3]
    assert len(surface) > 100
    assert in_ct[:, 1] == pytest.approx(-30.0, abs=1.2)
    assert np.count_nonzero(scan.labels(5.0) == TISSUE.tissues.index(BONE)) > 1000


def test_another_process_sees_the_same(tmp_path):
    TISSUE.write(tmp_path / "tissue.npz")
    path = a_path()
    scanned = ScannedPatient(tissue=tmp_path / "tissue.npz", path=path, lag_ms=-20.0, seed=3)
    config = OperatingRoomConfig(seed=1, centre_ct_mm=CENTRE, tools=(REFERENCE, PROBE), scan=scanned, prone=True)
    device = pickle.loads(pickle.dumps(simulated_device(config)))
    source = driver_of("simulated").images(device, VirtualClock(2 * NS_PER_S))
    source.start()
    frame = source.next_frame(NS_PER_S)
    here = PatientScan(UltrasoundSimulator(TISSUE, GEOMETRY, seed=3), path)
    assert (frame.pixels == here.image(frame.capture_ns / NS_PER_S - 0.02)).all()
    assert source.rate_hz == 30.0
