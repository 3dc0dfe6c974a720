"""The simulated room of the chain: what is true in it, what its tracker measures, and the recordings made in it.

The tracker measures spheres, with a distortion that is fixed in space beside the jitter, as
`navigation.simulation.optical_tracker` does, here for many frames at once. It fits the layouts of the markers that it
was given: that of the reference is not quite as it was designed, and has to be calibrated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.headset.alignment import motion_jacobian
from calibration.streams import PoseStream
from calibration.tool_geometry.rom import rom_of_spheres
from geometry import Transform
from geometry.frames import HEADSET, PROBE, REFERENCE, STYLUS, TRACKER
from geometry.points import Floats
from navigation.simulation.operating_room import SPHERES_MM
from tests.calibration.headset.harness import SHOWN_MM
from tests.calibration.ultrasound_probe.targets.recorded import write_sequence
from tests.calibration.ultrasound_probe.targets.sweeps import Motion, Truth, a_probe, image_axes, poses_over
from tests.navigation.acquisition.recorded_streams import write_csv

# In the middle of the volume of such a camera.
SITE_TRACKER_MM = np.array([50.0, -100.0, 1700.0])
ANCHOR = "room-1"
SIZE_PX, SPACING_MM = (160, 120), 0.5
_IMAGES = 80
_WAVELENGTH_MM = 800.0  # of the tracker's distortion


@dataclass(frozen=True, kw_only=True)
class Errors:
    """What is wrong in the room: RMS lengths in mm, and of the image.

    Attributes:
        distortion_mm, jitter_mm: of a sphere; 0.25 mm together is what makers of such cameras state.
        built_mm: of a sphere of the reference against its design.
        hand_mm: of a person who puts the tip on a point that is drawn in the air, `depth_ratio` times as large along
            the line of sight as across it.
        patient_mm: of a person who puts it on a point of the patient.
        pixel: of a point in the image, in px along each axis.
        beam_mm: of a point out of the image's plane, which the beam's thickness hides.
    """

    distortion_mm: float = 0.24
    jitter_mm: float = 0.08
    built_mm: float = 0.2
    hand_mm: float = 2.5
    depth_ratio: float = 2.0
    patient_mm: float = 0.3
    pixel: float = 0.5
    beam_mm: float = 0.4


class Room:
    """Draws what is true, and measures it."""

    def __init__(self, rng: np.random.Generator, errors: Errors) -> None:
        self.errors, self._rng = errors, rng
        self.T_headset_tracker = Transform.from_rotation(
            Rotation.from_euler(
                "xyz", [rng.uniform(-0.4, 0.4), np.pi + rng.uniform(-0.6, 0.6), rng.uniform(-0.3, 0.3)]
            ),
            rng.uniform(-300.0, 300.0, 3) + [0.0, 0.0, 2200.0],
            HEADSET,
            TRACKER,
        )
        self.tip_stylus_mm: Floats = np.array([0.5, -158.0, 3.0]) + rng.normal(size=3)
        self.probe = Truth(a_probe(rng, (SPACING_MM, SPACING_MM)).columns_mm, SIZE_PX)
        design = {tool: SPHERES_MM[tool] for tool in (REFERENCE, STYLUS, PROBE)}
        built = errors.built_mm / np.sqrt(3.0) * rng.normal(size=design[REFERENCE].shape)
        self._spheres_mm = design | {REFERENCE: design[REFERENCE] + built}
        self.layouts_mm = dict(design)  # as the tracker has them
        directions = rng.normal(size=(3, 16, 3))
        directions /= np.linalg.norm(directions, axis=2, keepdims=True)
        self._waves, self._phases = (
            2.0 * np.pi / _WAVELENGTH_MM * directions,
            rng.uniform(0.0, 2.0 * np.pi, size=(3, 16)),
        )
        self._shares = np.array([1.0, 1.0, 3.0]) / np.sqrt(11.0)  # worse in depth

    # ------------------------------------------------------------------------------------------------------ the tracker
    def see(self, poses: Floats, tool: str) -> list[Transform]:
        """``T_tracker_<tool>`` as measured at these true poses ``(n, 4, 4)``."""
        spheres, layout = self._measured(poses, tool), self.layouts_mm[tool]
        middle, centre = spheres.mean(axis=1, keepdims=True), layout.mean(axis=0)
        left, _, right = np.linalg.svd((spheres - middle).transpose(0, 2, 1) @ (layout - centre))
        left[:, :, 2] *= np.sign(np.linalg.det(left @ right))[:, None]
        seen = np.tile(np.eye(4), (len(poses), 1, 1))
        seen[:, :3, :3] = left @ right
        seen[:, :3, 3] = middle[:, 0] - seen[:, :3, :3] @ centre
        return [Transform(matrix, TRACKER, tool) for matrix in seen]

    def covariance_mm2(self, tool: str, point_marker_mm: Floats) -> Floats:
        """Stated covariance ``(3, 3)`` of a point of a marker: its spheres' error, after the fit of its pose.

        As Fitzpatrick, West and Maurer, IEEE TMI 17(5), 1998, with the error of a sphere alike in all directions; but
        the distortion of spheres that are near to one another is alike, by its wavelength.
        """
        layout_mm = self.layouts_mm[tool]
        apart_mm = np.linalg.norm(layout_mm[:, None] - layout_mm, axis=2)
        alike = self.errors.distortion_mm**2 * np.sinc(2.0 * apart_mm / _WAVELENGTH_MM)  # sin(k r) / (k r)
        spheres_mm2 = np.kron(alike + self.errors.jitter_mm**2 * np.eye(len(layout_mm)), np.eye(3)) / 3.0
        rows = motion_jacobian(layout_mm).reshape(-1, 6)
        moves = motion_jacobian(point_marker_mm[None])[0] @ np.linalg.pinv(rows)
        return moves @ spheres_mm2 @ moves.T

    def _measured(self, poses: Floats, tool: str) -> Floats:
        spheres = self._spheres_mm[tool] @ poses[:, :3, :3].transpose(0, 2, 1) + poses[:, None, :3, 3]
        waves = np.einsum("cwk,nsk->nscw", self._waves, spheres) + self._phases
        bent = np.sqrt(2.0 / 16.0) * np.cos(waves).sum(axis=3) * self.errors.distortion_mm
        return spheres + self._shares * (bent + self.errors.jitter_mm * self._rng.normal(size=spheres.shape))

    # ------------------------------------------------------------------------------------------------------- recordings
    def write_design(self, path: Path) -> Path:
        """The reference as it was designed, as the maker's .rom."""
        path.write_bytes(rom_of_spheres(self.layouts_mm[REFERENCE], "reference").content)
        return path

    def record_spheres(self, path: Path) -> Path:
        """The reference turned about the site; its spheres in any order."""
        poses = np.stack([self.held_anyhow(REFERENCE).matrix for _ in range(60)])
        rows = ["frame,x_mm,y_mm,z_mm"]
        for frame, points in enumerate(self._measured(poses, REFERENCE)):
            rows += [f"{frame},{x:.6f},{y:.6f},{z:.6f}" for x, y, z in self._rng.permutation(points)]
        path.write_text("\n".join(rows) + "\n")
        return path

    def record_pivot(self, path: Path) -> Path:
        """Ten seconds of a stylus that is rocked to all sides about its tip."""
        time_s = np.linspace(0.0, 10.0, 200)
        waves = np.stack(
            [0.5 * np.sin(2.1 * time_s), 0.5 * np.sin(1.7 * time_s + 1.0), 0.8 * np.sin(0.9 * time_s)], axis=1
        )
        rotations = Rotation.from_rotvec(waves) * Rotation.from_rotvec(0.2 * self._rng.normal(size=3))
        poses = np.tile(np.eye(4), (len(time_s), 1, 1))
        poses[:, :3, :3] = rotations.as_matrix()
        poses[:, :3, 3] = self._near_site() - rotations.apply(self.tip_stylus_mm)
        seen = np.stack([pose.matrix for pose in self.see(poses, STYLUS)])
        return write_csv(path, PoseStream(TRACKER, STYLUS, time_s, seen, 0, path.name))

    def record_probe(self, sequence: Path, points: Path) -> tuple[Path, Path]:
        """The stylus' tip at rest in the image of a probe that is moved about it, and its echoes by hand."""
        tip_mm = self._near_site()
        pixels = Motion().pixels(self.probe, self._rng, _IMAGES)
        probe = self._probe_over(pixels, np.tile(tip_mm, (_IMAGES, 1)), Motion().vectors_rad(self._rng, _IMAGES))
        stylus = np.tile(self.held(tip_mm).matrix, (_IMAGES, 1, 1))
        tools = {"ProbeToTracker": self.see(probe, PROBE), "StylusToTracker": self.see(stylus, STYLUS)}
        dark = np.zeros((_IMAGES, SIZE_PX[1], SIZE_PX[0]), np.uint8)
        write_sequence(sequence, dark, {name: np.stack([pose.matrix for pose in seen]) for name, seen in tools.items()})
        read = pixels + self.errors.pixel * self._rng.normal(size=pixels.shape)
        rows = [f"{frame},{x:.4f},{y:.4f}" for frame, (x, y) in enumerate(read)]
        points.write_text("\n".join(["frame,x_px,y_px", *rows]) + "\n")
        return sequence, points

    def record_touches(self, path: Path, tip_stylus_mm: Floats) -> Path:
        """Six points that the headset shows around the site, touched with the stylus as it was calibrated."""
        middle_mm = self.T_headset_tracker.apply(SITE_TRACKER_MM)
        shown_mm = middle_mm + 0.7 * (SHOWN_MM - SHOWN_MM.mean(axis=0))
        eyes_mm = middle_mm - [0.0, 0.0, 550.0]
        touches = []
        for number, point_mm in enumerate(shown_mm):
            off = self._rng.normal(size=3)
            sight = (point_mm - eyes_mm) / np.linalg.norm(point_mm - eyes_mm)
            off += (self.errors.depth_ratio - 1.0) * sight * (off @ sight)
            off *= self.errors.hand_mm / np.sqrt(2.0 + self.errors.depth_ratio**2)
            held = self.held(self.T_headset_tracker.inverse().apply(point_mm + off))
            tips = [seen.apply(tip_stylus_mm) for seen in self.see(np.tile(held.matrix, (20, 1, 1)), STYLUS)]
            touches.append(
                {
                    "name": str(number + 1),
                    "shown_headset_mm": point_mm.tolist(),
                    "tip_tracker_mm": np.mean(tips, axis=0).tolist(),
                    "anchor": ANCHOR,
                    "eyes_headset_mm": eyes_mm.tolist(),
                }
            )
        path.write_text(json.dumps({"format": "surgnav_target_touches", "touches": touches}))
        return path

    # ----------------------------------------------------------------------------------------------------- what is held
    def held(self, tip_tracker_mm: Floats) -> Transform:
        """A stylus whose tip is there, held somehow."""
        rotation = Rotation.from_rotvec(self._rng.normal(size=3) * 0.3)
        at_mm = tip_tracker_mm - rotation.apply(self.tip_stylus_mm)
        return Transform.from_rotation(rotation, at_mm, TRACKER, STYLUS)

    def held_anyhow(self, tool: str) -> Transform:
        """A tool near the site, turned somehow."""
        rotation = Rotation.from_rotvec(self._rng.normal(size=3) * 0.4)
        return Transform.from_rotation(rotation, self._near_site(), TRACKER, tool)

    def probe_over(self, pixel: Floats, point_tracker_mm: Floats) -> Transform:
        """A probe in whose image a point is seen at a pixel, ``(2,)``, held somehow."""
        vector = 0.3 * self._rng.normal(size=(1, 3))
        return Transform(self._probe_over(pixel[None], point_tracker_mm[None], vector)[0], TRACKER, PROBE)

    def _probe_over(self, pixels: Floats, points_tracker_mm: Floats, vectors_rad: Floats) -> Floats:
        """Poses ``(n, 4, 4)`` in whose images these points are seen, as the beam is thick."""
        beam = self.errors.beam_mm * self._rng.normal(size=(len(pixels), 1)) * image_axes(self.probe)[:, 2]
        poses = poses_over(self.probe, pixels, points_tracker_mm, vectors_rad)
        poses[:, :3, 3] += np.einsum("nij,nj->ni", poses[:, :3, :3], beam)
        return poses

    def _near_site(self) -> Floats:
        return SITE_TRACKER_MM + self._rng.uniform(-100.0, 100.0, 3)
