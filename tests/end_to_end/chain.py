"""The chain from the tracker to what is seen in Unity, in a simulated room where every true pose is known.

Stylus and headset are calibrated by the functions behind `surgnav calibrate pivot` and `surgnav calibrate headset`; a
point of the patient is touched with that stylus, relative to the reference. The overlay is where a client that decodes
the pose batches of the wire puts it: what a person sees in Unity. The tracker measures spheres, with a distortion that
is fixed in space beside the jitter (as `navigation.simulation.optical_tracker`, here for many frames at once).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.headset.alignment import HeadsetToTracker, length_p95_mm, motion_jacobian
from calibration.headset.touches import TargetTouch, align_by_touches
from calibration.pivot.pivot import PivotCalibration, calibrate_pivot
from geometry import Transform
from geometry.clock import ManualClock
from tests.calibration.headset.harness import SHOWN_MM
from unity_bridge.client.placing import Placer
from unity_bridge.poses.batch import PoseBatchDecoder
from unity_bridge.poses.encoder import encode_pose_batch
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.convention import points_from_unity, points_to_unity
from unity_bridge.wire.envelope import MessageType, Session, Validity

# Of a marker with four spheres, in its own frame, facing the camera along z.
SPHERES_MM = np.array([[0.0, 0.0, 0.0], [55.0, 5.0, 0.0], [-20.0, 60.0, 0.0], [15.0, -70.0, 4.0]])
SPHERES_MM -= SPHERES_MM.mean(axis=0)
TIP_MM = np.array([4.0, -160.0, -25.0])
# In the middle of the volume of such a camera.
SITE_TRACKER_MM = np.array([50.0, -100.0, 1700.0])
TARGET_REFERENCE_MM = np.array([70.0, 110.0, -60.0])
LINKS = ("stylus tip", "touch of the point", "reference", "headset")


@dataclass(frozen=True, kw_only=True)
class Errors:
    """What is wrong in the room: RMS lengths in mm.

    Attributes:
        distortion_mm, jitter_mm: of a sphere; 0.25 mm together is what makers of such cameras state.
        hand_mm: of a person who puts the tip on a point that is drawn in the air, `depth_ratio` times as large along
            the line of sight as across it.
        patient_mm: of a person who puts it on a point of the patient.
    """

    distortion_mm: float = 0.24
    jitter_mm: float = 0.08
    hand_mm: float = 2.5
    depth_ratio: float = 2.0
    patient_mm: float = 0.3


@dataclass(frozen=True, eq=False)
class Overlay:
    """What became of one room.

    Attributes:
        error_mm: distance between the point as it is seen in Unity and where it is.
        expected_p95_mm: what was expected of it.
        links_mm: error that each link alone makes, the others being true.
        expected_links_mm: RMS error that was expected of each.
    """

    error_mm: float
    expected_p95_mm: float
    links_mm: dict[str, float]
    expected_links_mm: dict[str, float]


class Tracker:
    """Measures poses of markers, with an error that is the same wherever the same place is measured again."""

    def __init__(self, rng: np.random.Generator, errors: Errors) -> None:
        self._rng, self._errors = rng, errors
        directions = rng.normal(size=(3, 16, 3))
        directions /= np.linalg.norm(directions, axis=2, keepdims=True)
        self._waves, self._phases = 2.0 * np.pi / 800.0 * directions, rng.uniform(0.0, 2.0 * np.pi, size=(3, 16))
        self._shares = np.array([1.0, 1.0, 3.0]) / np.sqrt(11.0)  # worse in depth

    def see(self, poses: np.ndarray, tool: str) -> list[Transform]:
        """``T_tracker_<tool>`` as measured at these true poses ``(n, 4, 4)``."""
        spheres = SPHERES_MM @ poses[:, :3, :3].transpose(0, 2, 1) + poses[:, None, :3, 3]
        waves = np.einsum("cwk,nsk->nscw", self._waves, spheres) + self._phases
        bent = np.sqrt(2.0 / 16.0) * np.cos(waves).sum(axis=3) * self._errors.distortion_mm
        spheres = spheres + self._shares * (bent + self._errors.jitter_mm * self._rng.normal(size=spheres.shape))
        middle = spheres.mean(axis=1, keepdims=True)
        left, _, right = np.linalg.svd((spheres - middle).transpose(0, 2, 1) @ SPHERES_MM)
        left[:, :, 2] *= np.sign(np.linalg.det(left @ right))[:, None]
        seen = np.tile(np.eye(4), (len(poses), 1, 1))
        seen[:, :3, :3], seen[:, :3, 3] = left @ right, middle[:, 0]
        return [Transform(matrix, "tracker", tool) for matrix in seen]

    def covariance_mm2(self, point_marker_mm: np.ndarray) -> np.ndarray:
        """Stated covariance ``(3, 3)`` of a point of a marker: its spheres' error, after the fit of its pose.

        Fitzpatrick, West and Maurer, IEEE TMI 17(5), 1998, with the error of a sphere alike in all directions.
        """
        sphere_mm2 = (self._errors.distortion_mm**2 + self._errors.jitter_mm**2) / 3.0
        rows = motion_jacobian(SPHERES_MM).reshape(-1, 6)
        row = motion_jacobian(point_marker_mm[None])[0]
        return sphere_mm2 * row @ np.linalg.inv(rows.T @ rows) @ row.T


def run_chain(rng: np.random.Generator, errors: Errors | None = None) -> Overlay:
    """Calibrates everything in a room drawn anew, shows a point of the patient, and compares."""
    errors = errors or Errors()
    tracker = Tracker(rng, errors)
    T_headset_tracker = Transform.from_rotation(
        Rotation.from_euler("xyz", [rng.uniform(-0.4, 0.4), np.pi + rng.uniform(-0.6, 0.6), rng.uniform(-0.3, 0.3)]),
        rng.uniform(-300.0, 300.0, 3) + [0.0, 0.0, 2200.0],
        "headset",
        "tracker",
    )
    pivot = _pivot(tracker, rng)
    aligned = _align(tracker, rng, errors, T_headset_tracker, pivot)
    T_tracker_reference = _pose(Rotation.from_rotvec(rng.normal(size=3) * 0.3), SITE_TRACKER_MM, "reference")
    point_tracker_mm = T_tracker_reference.apply(TARGET_REFERENCE_MM)
    # Touched once, with the stylus as it is held there; then the patient is moved, and looked at through the headset.
    held = _held(point_tracker_mm + _sphere(rng, errors.patient_mm), rng)
    stylus = tracker.see(held.matrix[None], "stylus")[0]
    reference = tracker.see(T_tracker_reference.matrix[None], "reference")[0]
    later = _pose(
        Rotation.from_rotvec(rng.normal(size=3) * 0.1) * T_tracker_reference.rotation, SITE_TRACKER_MM, "reference"
    )
    seen_later = tracker.see(later.matrix[None], "reference")[0]
    true = (TIP_MM, held, T_tracker_reference, later, T_headset_tracker)
    found = (pivot.tip_stylus_mm, stylus, reference, seen_later, aligned.T_headset_tracker)
    where_mm = T_headset_tracker.apply(later.apply(TARGET_REFERENCE_MM))
    links = {
        "stylus tip": (found[0], *true[1:]),
        "touch of the point": (true[0], found[1], *true[2:]),
        "reference": (*true[:2], *found[2:4], true[4]),
        "headset": (*true[:4], found[4]),
    }
    covariances = _expected(tracker, errors, pivot, aligned, found)
    share = float(np.trace(covariances["headset"]) / np.trace(sum(covariances.values())))
    return Overlay(
        error_mm=float(np.linalg.norm(seen_in_unity_mm(*found) - where_mm)),
        # Only the headset's share rests on few residuals (Satterthwaite 1946).
        expected_p95_mm=float(length_p95_mm(sum(covariances.values())[None], aligned.degrees / share**2)[0]),
        links_mm={name: float(np.linalg.norm(seen_in_unity_mm(*link) - where_mm)) for name, link in links.items()},
        expected_links_mm={name: float(np.sqrt(np.trace(each))) for name, each in covariances.items()},
    )


def seen_in_unity_mm(
    tip_stylus_mm: np.ndarray, stylus: Transform, reference: Transform, later: Transform, aligned: Transform
) -> np.ndarray:
    """Where a client of the wire shows the touched point, ``(3,)`` in ``headset``, out of Unity's convention again."""
    point_reference_mm = reference.inverse().apply(stylus.apply(tip_stylus_mm))
    session = Session(bytes(16), ManualClock(1, "room"))
    states = [
        ToolState(
            tool="reference", to_frame="tracker", from_frame="reference", validity=Validity.VALID, T_to_from=later
        ),
        ToolState(tool="tracker", to_frame="headset", from_frame="tracker", validity=Validity.VALID, T_to_from=aligned),
    ]
    header = replace(session.header(MessageType.POSE_BATCH, 1, 1), validity=Validity.VALID)
    message = encode_pose_batch(header, states)
    placer = Placer(PoseBatchDecoder().decode(message), "reference", "headset")
    return points_from_unity(placer.points(points_to_unity(point_reference_mm[None])))[0]


def _expected(
    tracker: Tracker,
    errors: Errors,
    pivot: PivotCalibration,
    aligned: HeadsetToTracker,
    found: tuple[np.ndarray, Transform, Transform, Transform, Transform],
) -> dict[str, np.ndarray]:
    """Covariances ``(3, 3)`` of the shown point, axes of ``headset``, that each link states."""
    tip_mm, stylus, reference, later, shown = found
    turn = shown.rotation_matrix @ later.rotation_matrix @ reference.rotation_matrix.T
    tip = turn @ stylus.rotation_matrix
    point_reference_mm = reference.inverse().apply(stylus.apply(tip_mm))
    # Measured twice, at nearly the same place: the distortion is nearly the same and counts once.
    seen = turn @ reference.rotation_matrix
    # A pivot's covariance knows what its residuals show: not the distortion of the place where it was made.
    pivoted = pivot.tip_covariance_mm2 + tracker.covariance_mm2(tip_mm)
    return {
        "stylus tip": tip @ pivoted @ tip.T,
        "touch of the point": tip @ tracker.covariance_mm2(tip_mm) @ tip.T + errors.patient_mm**2 / 3.0 * np.eye(3),
        "reference": seen @ tracker.covariance_mm2(point_reference_mm) @ seen.T,
        "headset": aligned.covariance_at_mm2(later.apply(point_reference_mm))[0],
    }


def _pivot(tracker: Tracker, rng: np.random.Generator) -> PivotCalibration:
    """Ten seconds of a stylus that is rocked to all sides about its tip."""
    time_s = np.linspace(0.0, 10.0, 200)
    waves = np.stack([0.5 * np.sin(2.1 * time_s), 0.5 * np.sin(1.7 * time_s + 1.0), 0.8 * np.sin(0.9 * time_s)], axis=1)
    rotations = Rotation.from_rotvec(waves) * Rotation.from_rotvec(0.2 * rng.normal(size=3))
    poses = np.tile(np.eye(4), (len(time_s), 1, 1))
    poses[:, :3, :3] = rotations.as_matrix()
    poses[:, :3, 3] = SITE_TRACKER_MM + rng.uniform(-100.0, 100.0, 3) - rotations.apply(TIP_MM)
    return calibrate_pivot(tracker.see(poses, "stylus"))


def _align(
    tracker: Tracker, rng: np.random.Generator, errors: Errors, T_headset_tracker: Transform, pivot: PivotCalibration
) -> HeadsetToTracker:
    """Six points that the headset shows around the site, touched with the stylus as it was calibrated."""
    middle_mm = T_headset_tracker.apply(SITE_TRACKER_MM)
    shown_mm = middle_mm + 0.7 * (SHOWN_MM - SHOWN_MM.mean(axis=0))
    eyes_mm = middle_mm - [0.0, 0.0, 550.0]
    touches = []
    for number, point_mm in enumerate(shown_mm):
        off = rng.normal(size=3)
        sight = (point_mm - eyes_mm) / np.linalg.norm(point_mm - eyes_mm)
        off += (errors.depth_ratio - 1.0) * sight * (off @ sight)
        off *= errors.hand_mm / np.sqrt(2.0 + errors.depth_ratio**2)
        held = _held(T_headset_tracker.inverse().apply(point_mm + off), rng)
        tips = [seen.apply(pivot.tip_stylus_mm) for seen in tracker.see(np.tile(held.matrix, (20, 1, 1)), "stylus")]
        touches.append(TargetTouch(str(number + 1), point_mm, np.mean(tips, axis=0), "anchor", eyes_mm))
        last = held
    turn = last.rotation_matrix
    return align_by_touches(touches, tip_covariance_mm2=turn @ pivot.tip_covariance_mm2 @ turn.T)


def _held(tip_tracker_mm: np.ndarray, rng: np.random.Generator) -> Transform:
    """A stylus whose tip is there, held somehow."""
    rotation = Rotation.from_rotvec(rng.normal(size=3) * 0.3)
    return _pose(rotation, tip_tracker_mm - rotation.apply(TIP_MM), "stylus")


def _pose(rotation: Rotation, at_mm: np.ndarray, tool: str) -> Transform:
    return Transform.from_rotation(rotation, at_mm, "tracker", tool)


def _sphere(rng: np.random.Generator, rms_mm: float) -> np.ndarray:
    return rms_mm / np.sqrt(3.0) * rng.normal(size=3)
