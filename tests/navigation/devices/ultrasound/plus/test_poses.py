"""Transforms of PLUS: names, directions, and which are not given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from navigation.devices.ultrasound.plus.header import read_header
from navigation.devices.ultrasound.plus.poses import frame_names, read_poses
from navigation.errors import DeviceError
from tests.navigation.devices.ultrasound.plus.made_sequence import IDENTITY, write_sequence


@pytest.mark.parametrize(
    ("plus_name", "ends"),
    [
        ("ProbeToTracker", ("tracker", "probe")),
        ("StylusTipToStylus", ("stylus", "stylus_tip")),
        ("ReferenceToRAS", ("ras", "reference")),
        ("CTImageToProbe2", ("probe2", "ct_image")),
        ("ToolToTracker", ("tracker", "tool")),
        ("TotalToTracker", ("tracker", "total")),
        ("Image", None),
        ("ToTracker", None),
        ("AToBToC", None),
        ("ProbeToUnity", None),
        ("1stToTracker", None),
        ("", None),
    ],
)
def test_names_become_ours(plus_name: str, ends: tuple[str, str] | None):
    assert frame_names(plus_name) == ends


def text_of(matrix: np.ndarray) -> str:
    return " ".join(f"{value:.6g}" for value in matrix.ravel())


def test_a_transform_maps_from_the_first_name_to_the_second(tmp_path: Path):
    truth = np.eye(4)
    truth[:3, :3] = Rotation.from_euler("xyz", [0.3, -0.2, 1.1]).as_matrix()
    truth[:3, 3] = 12.5, -200.25, 3.0
    path = write_sequence(tmp_path / "a.mha", frame_fields={1: {"ProbeToTrackerTransform": text_of(truth)}})
    poses, notes = read_poses(read_header(path))
    pose = poses[1]["T_tracker_probe"]
    assert (pose.to_frame, pose.from_frame) == ("tracker", "probe")
    np.testing.assert_allclose(pose.apply([10.0, 20.0, 30.0]), (truth @ [10.0, 20.0, 30.0, 1.0])[:3], atol=1e-3)
    assert notes == ()


def test_what_is_not_valid_not_recorded_or_not_rigid_is_none_and_counted(tmp_path: Path):
    scaled = text_of(np.diag([0.2, 0.2, 0.2, 1.0]))
    mirrored = text_of(np.diag([1.0, 1.0, -1.0, 1.0]))
    fields = {
        0: {"ProbeToTrackerTransformStatus": "INVALID"},
        1: {"ProbeToTrackerTransformStatus": None},
        2: {"ProbeToTrackerTransform": None, "ProbeToTrackerTransformStatus": None},
    }
    for index, matrix in enumerate((scaled, mirrored, IDENTITY.replace("1", "nan"))):
        fields[index] |= {"ImageToProbeTransform": matrix, "ImageToProbeTransformStatus": "OK"}
    fields[2] |= {"StylusToTrackerTransform": IDENTITY[:-1] + "2", "StylusToTrackerTransformStatus": "OK"}
    poses, notes = read_poses(read_header(write_sequence(tmp_path / "a.mha", frame_fields=fields)))
    assert all(
        dict(frame) == dict.fromkeys(["T_probe_image", "T_tracker_probe", "T_tracker_stylus"]) for frame in poses
    )
    assert notes == (
        "T_probe_image is not rigid, and given as missing, in 3 of 3 frames, first in 0",
        "T_tracker_probe is not valid, or not recorded, in 3 of 3 frames",
        "T_tracker_stylus is not valid, or not recorded, in 2 of 3 frames",
        "T_tracker_stylus is not rigid, and given as missing, in 1 of 3 frames, first in 2",
    )


def test_names_that_say_too_little_are_left_out_and_noted(tmp_path: Path):
    fields = {0: {"CTToReferenceTransform": IDENTITY, "AToBToCTransform": IDENTITY}}
    poses, notes = read_poses(read_header(write_sequence(tmp_path / "a.mha", frame_fields=fields)))
    assert set(poses[0]) == {"T_tracker_probe"}
    assert notes == (
        "AToBToCTransform left out: not the names of two frames",
        "CTToReferenceTransform left out: the file does not say which axes its CT has",
    )


@pytest.mark.parametrize("text", ["", "1 2 3", IDENTITY + " 0", IDENTITY.replace("1", "one")])
def test_a_damaged_matrix_is_refused_with_its_frame(tmp_path: Path, text: str):
    path = write_sequence(tmp_path / "a.mha", frame_fields={2: {"ProbeToTrackerTransform": text}})
    with pytest.raises(DeviceError, match=r"ProbeToTrackerTransform = .* in frame 2; expected the 16 numbers"):
        read_poses(read_header(path))


def test_two_names_that_become_the_same_are_refused(tmp_path: Path):
    path = write_sequence(tmp_path / "a.mha", frame_fields={0: {"PROBEToTrackerTransform": IDENTITY}})
    with pytest.raises(DeviceError, match="both T_tracker_probe"):
        read_poses(read_header(path))


def test_recorded_transforms_are_rigid_within_the_tolerance(shared_data: Path):
    """``pytest -s`` prints by how much the printed rotations are off orthonormal."""
    for path in sorted((shared_data / "tracking" / "pluslib" / "TestImages").glob("*.igs.mha")):
        header = read_header(path)
        poses, notes = read_poses(header)
        assert not any("not rigid" in note for note in notes)
        off = [0.0]
        for fields, frame in zip(header.frames, poses, strict=True):
            for name, pose in frame.items():
                plus_name = "To".join(part.capitalize() for part in reversed(name.split("_")[1:])) + "Transform"
                if pose is not None:
                    printed = np.array(fields[plus_name].split(), float).reshape(4, 4)
                    np.testing.assert_allclose(pose.matrix, printed, atol=3e-4)
                    off.append(np.abs(printed[:3, :3] @ printed[:3, :3].T - np.eye(3)).max())
        print(f"{path.name}: {max(off):.1e}")
