"""How the simulated probe is moved over the patient: along a path on the skin, to and fro, by a hand that trembles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.ultrasound_probe.image_map import columns_of
from calibration.ultrasound_probe.scan_geometry import ScanGeometry
from geometry import Transform
from geometry.frames import CT, IMAGE, PROBE
from geometry.points import Floats

# A convex probe for the abdomen and the spine.
CONVEX = ScanGeometry.convex((400, 340), (0.25, 0.25), radius_mm=50.0, half_angle_rad=np.deg2rad(32.0), depth_mm=80.0)
# The image in the axes of the probe's marker, as it is mounted: depth points away from the side that the camera sees,
# and the face's middle lies some 12 cm below it.
_MOUNTED = Rotation.from_euler("x", -90.0, degrees=True) * Rotation.from_rotvec([0.32, -0.09, 0.06])
_FACE_PROBE_MM: Floats = np.array([6.0, -18.0, -118.0])
# As in `navigation.simulation.actions`; the hand rests on the patient.
_TREMOR_HZ, _TREMOR_MM = np.array([7.3, 8.9, 10.7]), 0.08


def true_columns_mm(geometry: ScanGeometry) -> Floats:
    """The true ``[u, v, origin]`` as columns ``(3, 3)``, from the pixels of a scan to the marker of the probe."""
    origin = _FACE_PROBE_MM - _MOUNTED.apply(np.array([*geometry.face_px, 0.0]) * [*geometry.pixel_mm, 0.0])
    pose = Transform.from_rotation(_MOUNTED, origin, PROBE, IMAGE)
    return columns_of(pose, *geometry.pixel_mm)


@dataclass(frozen=True, eq=False)
class ScanPath:
    """A path that the middle of the probe's face takes over the skin.

    Attributes:
        faces_ct_mm: places of the face's middle, ``(n, 3)`` in ``ct``, two or more.
        across_ct: direction of the image's x, ``(3,)``; what of it points into depth does not count.
        into_ct: direction of depth, ``(3,)``.
        geometry: of the scan.
        period_s: from one end to the other and back.
        begins_s: on the clock that images and poses are stamped by.
        fan_rad: by how much the hand tilts the image's plane to both sides meanwhile.
    """

    faces_ct_mm: Floats
    across_ct: Floats
    into_ct: Floats
    geometry: ScanGeometry
    period_s: float
    begins_s: float = 0.0
    fan_rad: float = 0.12

    def T_ct_image_px(self, t_s: float) -> Floats:
        """From ``(x px, y px, 0, 1)`` to ``ct`` in mm, ``(4, 4)``, at a time in s."""
        since_s = t_s - self.begins_s
        phase = 2.0 * np.pi * since_s / self.period_s
        place = 0.5 * (1.0 - np.cos(phase)) * (len(self.faces_ct_mm) - 1)
        face = np.array([np.interp(place, np.arange(len(self.faces_ct_mm)), axis) for axis in self.faces_ct_mm.T])
        face += _TREMOR_MM * np.sin(2.0 * np.pi * _TREMOR_HZ * since_s)
        depth = self.into_ct / np.linalg.norm(self.into_ct)
        across = self.across_ct - (self.across_ct @ depth) * depth
        across /= np.linalg.norm(across)
        upright = np.column_stack([across, depth, np.cross(across, depth)])
        fan = self.fan_rad * np.array([np.sin(2.6 * phase), 0.5 * np.sin(1.7 * phase + 1.0), 0.4 * np.sin(3.1 * phase)])
        axes = upright @ Rotation.from_rotvec(fan).as_matrix()
        matrix = np.eye(4)
        matrix[:3, :3] = axes * [*self.geometry.pixel_mm, np.mean(self.geometry.pixel_mm)]
        matrix[:3, 3] = face - matrix[:3, :2] @ self.geometry.face_px
        return matrix

    def T_ct_probe(self, t_s: float) -> Transform:
        """The true pose of the probe's marker in the patient."""
        image = self.T_ct_image_px(t_s)
        scales = np.array([*self.geometry.pixel_mm, np.mean(self.geometry.pixel_mm)])
        T_ct_image = Transform.from_rotation(Rotation.from_matrix(image[:3, :3] / scales), image[:3, 3], CT, IMAGE)
        origin_mm = true_columns_mm(self.geometry)[:, 2]
        return T_ct_image @ Transform.from_rotation(_MOUNTED, origin_mm, PROBE, IMAGE).inverse()
