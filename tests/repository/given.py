"""What the documents' Python presupposes: the names that a page's text says the reader has, with real values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from calibration import calibrate_pivot
from calibration.pivot.results import pivot_result
from calibration.rack import keep
from case.nifti_files import write_nifti
from geometry import Transform, Volume
from reconstruction.network.classes import CLASS_INDEX
from registration.surface.bone_points import BeamSettings
from tests.calibration.streams_of import pivoted
from tests.navigation.devices.ultrasound.plus.made_sequence import write_sequence
from tests.reconstruction.centrelines.vertebrae import vertebrae
from tests.reconstruction.ct.dicom.dicom_factory import write_series
from tests.reconstruction.ultrasound.frames import made_frame
from tests.registration.shapes import T_TRUE, organ, sample, sphere
from tests.registration.surface.ultrasound_bone import T_PROBE_IMAGE, scan
from tests.unity_bridge.harness import CLOCK, stylus_pose
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.messages import Welcome

Names = dict[str, Any]


def phantom_files() -> Names:
    """A small CT as ``ct.nii.gz``, in the folder that the page's code runs in."""
    from reconstruction.phantom.torso import TorsoPhantomSettings, make_torso_phantom

    settings = TorsoPhantomSettings(spacing_mm=(4.0, 4.0, 4.0), extent_mm=(372.0, 288.0, 120.0))
    write_nifti(Path("ct.nii.gz"), make_torso_phantom(settings, np.random.default_rng(1)).ct)
    return {}


def calibration() -> Names:
    """A stylus rocked about its tip."""
    angles_rad = np.random.default_rng(2).uniform(-0.6, 0.6, (80, 3))
    tip_mm = np.array([3.0, -5.0, -160.0])
    poses = [
        Transform.from_rotation(turn, [120.0, -80.0, -1500.0] - turn.apply(tip_mm), "tracker", "stylus")
        for turn in map(Rotation.from_rotvec, angles_rad)
    ]
    return {"poses": poses, "T_tracker_stylus": poses[0]}


def rack() -> Names:
    """A rack with the pivot of a pointer."""
    stream = pivoted().renamed("pointer_7")
    keep(Path("rack"), pivot_result(calibrate_pivot(stream), stream, "2026-11-27T02:15:03+00:00"))
    return {}


def centrelines() -> Names:
    """A bent tube, and three vertebrae."""
    k, j, i = np.indices((40, 30, 30)).astype(float)
    tube_mm = np.hypot(i - 15.0 - 4.0 * np.sin(k / 12.0), j - 15.0)
    probability = np.clip(4.5 - tube_mm, 0.0, 1.0).astype(np.float32)
    probability[[0, -1]] = 0.0
    Path("out").mkdir()
    return {"probability": Volume(probability, np.eye(4)), "labels": spine()}


def spine() -> Volume:
    """Vertebrae L2 to L4, under the labels of TotalSegmentator."""
    made = vertebrae()
    return Volume(np.where((made.voxels > 0) & (made.voxels < 4), made.voxels + 27, 0).astype(np.uint8), made.affine)


def phantom() -> Names:
    return {"vertices_ct": np.array([[0.0, -170.0, -1230.0]])}


def registration() -> Names:
    """An organ, landmarks on it, a sweep over one side, and bone points of a probe held still."""
    rng = np.random.default_rng(4)
    skin_ct, side = organ(3), np.array([0.2, -1.0, 0.3])
    points_ct = sample(skin_ct, 6, rng)
    swept_ct = sample(skin_ct, 600, rng, side)
    return {
        "np": np,
        "points_ct": points_ct,
        "points_reference": T_TRUE.apply(points_ct) + rng.normal(0.0, 0.3, (6, 3)),
        "planned_ct": points_ct,
        "touched_reference": T_TRUE.apply(points_ct[[3, 0, 5, 1]]),
        "names": [f"landmark_{n}" for n in range(6)],
        "swept_reference": T_TRUE.apply(swept_ct) + rng.normal(0.0, 0.3, swept_ct.shape),
        "skin_ct": skin_ct,
        "targets_ct": points_ct[:2] * 0.9,
        # The organ stands for the vertebra: what is tried is that the code runs.
        "vertebra_ct": skin_ct,
        "frames": [
            (echo.points_image_px, echo.T_reference_probe) for echo in scan(skin_ct, T_TRUE, BeamSettings(), rng, 20)
        ],
        "T_probe_image": T_PROBE_IMAGE,
    }


def readme() -> Names:
    """A series of a ball of bone in ``ct/``, and landmarks at the patient."""
    k, j, i = np.indices((30, 40, 40))
    ball = (i - 20.0) ** 2 + (j - 20.0) ** 2 + (k - 15.0) ** 2 < 100.0
    write_series(Path("ct"), np.where(ball, 700, -1000).astype(np.int16))
    names = registration()
    return {
        "points_ct": names["points_ct"],
        "points_on_patient": names["points_reference"],
        "targets_ct": names["targets_ct"],
    }


def surfaces() -> Names:
    """A phantom's CT and labels, and where a surface may be written."""
    from reconstruction.phantom.torso import TorsoPhantomSettings, make_torso_phantom

    settings = TorsoPhantomSettings(spacing_mm=(2.5, 2.5, 2.5), extent_mm=(372.0, 288.0, 120.0))
    made = make_torso_phantom(settings, np.random.default_rng(1))
    page_labels = {CLASS_INDEX["liver"]: 1, CLASS_INDEX["bone"]: 5}
    voxels = np.zeros_like(made.labels.voxels)
    for label, on_page in page_labels.items():
        voxels[made.labels.voxels == label] = on_page
    return {"ct": made.ct, "labels": made.labels.with_voxels(voxels), "path": Path("bone.ply")}


def unity_bridge() -> Names:
    """A server's clock and state, a surface at two levels, and a pose."""
    full, coarse = organ(4), organ(2)
    welcome = Welcome(
        server_name="test",
        program="test 1",
        clock_id=CLOCK.clock_id,
        rate_hz=100.0,
        last_pose_sequence=0,
        registration_id="registration-1",
        registration_validity=Validity.VALID,
        tools=("stylus", "drill"),
    )
    return {
        "clock": CLOCK,
        "state": lambda: welcome,
        "surface": sphere(40.0, 2),
        "full": full,
        "coarse": coarse,
        "T_reference_stylus_tip": stylus_pose(1),
        "capture_ns": CLOCK.now_ns(),
    }


def ultrasound() -> Names:
    """A frame with bone across it."""
    return {"frame": made_frame(np.full(300, 200.0))}


def ultrasound_sources() -> Names:
    """A sequence of PLUS, ``sweep.igs.mha``, in the folder that the page's code runs in."""
    write_sequence(Path("sweep.igs.mha"))
    return {}


GIVEN: dict[str, Callable[[], Names]] = {
    "README": readme,
    "calibration": rack,
    "pivot": calibration,
    "centrelines": centrelines,
    "network": phantom_files,
    "phantom": phantom,
    "reconstruction": phantom_files,
    "registration": registration,
    "surfaces": surfaces,
    "ultrasound": ultrasound,
    "ultrasound_sources": ultrasound_sources,
    "unity_bridge": unity_bridge,
}
