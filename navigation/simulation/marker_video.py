"""Renders what a camera sees of printed markers, with the truth of every picture: for tests, benchmarks and rehearsals.

It shares nothing with what finds the markers but the printed pattern. Rays are cast from several points of each pixel
and at several times of the exposure, through a lens that is undone by fixed-point iteration, onto planes of dark and
light cells; light is summed before the camera's own blur, its noise, gamma and eight bits. So an edge is exact to the
point where light falls, motion blurs what moves, and noise is that of light: more where it is bright.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import gaussian_filter, zoom

from calibration.camera.camera_file import CameraCalibration
from geometry import Transform
from geometry.points import Floats, Singles

_UNDISTORTING = 8


@dataclass(frozen=True)
class Face:
    """A flat printed thing of square cells, in its own frame: x right, y up, z out of the print, the middle at 0.

    Attributes:
        cells: reflectance ``(rows, columns)`` from the top, 0 to 1; NaN where there is a hole.
        cell_mm: size of a cell.
    """

    cells: Singles
    cell_mm: float

    @property
    def corners_mm(self) -> Floats:
        """Its outer corners ``(4, 3)``."""
        rows, columns = self.cells.shape
        half = np.array([columns, rows, 0.0]) * self.cell_mm / 2.0
        return half * [[-1, 1, 0], [1, 1, 0], [1, -1, 0], [-1, -1, 0]]


@dataclass(frozen=True, kw_only=True)
class PictureSettings:
    """How a picture comes about.

    Attributes:
        samples: rays along each side of a pixel.
        lens_blur_px: standard deviation of the lens's own blur.
        full_well: electrons of the brightest pixel; light's noise is their square root.
        read_noise: electrons, of every pixel.
        light: share of the light that falls in the corner of the picture that lies farthest from the lamp.
        gamma: codes are the light to the power of 1 / gamma.
    """

    samples: int = 3
    lens_blur_px: float = 0.6
    full_well: float = 8000.0
    read_noise: float = 12.0
    light: float = 0.7
    gamma: float = 2.2


@dataclass
class MarkerCamera:
    """A camera that takes pictures of faces in its frame ``camera``.

    Args:
        calibration: its true calibration.
        settings: how a picture comes about.
        seed: of the background and the noise.
    """

    calibration: CameraCalibration
    settings: PictureSettings = field(default_factory=PictureSettings)
    seed: int = 1

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        camera, count = self.calibration, self.settings.samples
        offsets = (np.arange(count) + 0.5) / count - 0.5
        grid = np.stack(np.meshgrid(np.arange(camera.width_px), np.arange(camera.height_px)), axis=-1)
        shifts = [np.array([right, down]) for down in offsets for right in offsets]
        self._rays = np.stack([undistorted(camera, grid + shift) for shift in shifts]).astype(np.float32)
        self._scene, self._lamp = self._background()

    def picture(self, exposures: Sequence[Sequence[tuple[Face, Transform]]]) -> np.ndarray:
        """One picture ``(h, w)`` uint8.

        Args:
            exposures: at instants that divide the exposure evenly, the faces with their ``T_camera_<face>``.
        """
        summed = np.zeros_like(self._scene)
        for exposure in exposures:
            ordered = sorted(exposure, key=lambda each: -float(np.linalg.norm(each[1].translation_mm)))
            regions = [self._region(face, T_camera_face) for face, T_camera_face in ordered]
            for rays in self._rays:
                seen = self._scene.copy()
                for region, (face, T_camera_face) in zip(regions, ordered, strict=True):
                    _paint(seen[region], rays[region], face, T_camera_face)
                summed += seen
        summed /= len(exposures) * len(self._rays)
        return self._developed(summed * self._lamp)

    def _background(self) -> tuple[Singles, Singles]:
        """A room out of focus behind the markers, and how much of the lamp's light reaches each pixel."""
        shape = self.calibration.height_px, self.calibration.width_px
        clutter = sum(self._clutter(cell_px) for cell_px in (80, 9))
        scene = 0.25 + 0.06 * clutter
        down, right = np.meshgrid(np.linspace(0, 1, shape[0]), np.linspace(0, 1, shape[1]), indexing="ij")
        lamp = 1.0 - (1.0 - self.settings.light) * np.hypot(down, right) / np.sqrt(2.0)
        return np.clip(scene, 0.02, 1.0).astype(np.float32), lamp.astype(np.float32)

    def _clutter(self, cell_px: int) -> Floats:
        """Random light that changes over `cell_px`, of the size of a picture."""
        shape = self.calibration.height_px, self.calibration.width_px
        few = self._random.standard_normal([-(-side // cell_px) + 3 for side in shape])
        return zoom(few, cell_px, order=1)[: shape[0], : shape[1]]

    def _region(self, face: Face, T_camera_face: Transform) -> tuple[slice, slice]:
        """The part of the picture that a face is in, with a margin for the lens's bending of its sides."""
        around = self._corners_px(face, T_camera_face)
        size = np.array([self.calibration.width_px, self.calibration.height_px])
        low = np.clip(np.floor(around.min(axis=0)) - 3, 0, size - 1).astype(int)
        high = np.clip(np.ceil(around.max(axis=0)) + 4, low + 1, size).astype(int)
        return slice(low[1], high[1]), slice(low[0], high[0])

    def _corners_px(self, face: Face, T_camera_face: Transform) -> Floats:
        points_mm = T_camera_face.apply(face.corners_mm)
        if points_mm[:, 2].min() <= 1.0:  # reaches beside or behind the lens: anywhere
            return np.array([[-1e6, -1e6], [1e6, 1e6]])
        return projected(self.calibration, points_mm)

    def _developed(self, light: Singles) -> np.ndarray:
        settings = self.settings
        if settings.lens_blur_px > 0.0:
            light = gaussian_filter(light, settings.lens_blur_px, truncate=3.0)
        electrons = light * settings.full_well
        deviation = np.sqrt(np.maximum(electrons, 0.0) + settings.read_noise**2)
        electrons = electrons + deviation * self._random.standard_normal(light.shape, dtype=np.float32)
        coded = np.clip(electrons / settings.full_well, 0.0, 1.0) ** (1.0 / settings.gamma)
        return np.rint(coded * 255.0).astype(np.uint8)


def projected(camera: CameraCalibration, points_camera_mm: Floats) -> Floats:
    """Where points ``(n, 3)`` in mm in ``camera`` are seen, ``(n, 2)`` in px."""
    distorted = _distorted(camera, points_camera_mm[:, :2] / points_camera_mm[:, 2:])
    return distorted * [camera.fx_px, camera.fy_px] + [camera.cx_px, camera.cy_px]


def undistorted(camera: CameraCalibration, pixels: Floats) -> Floats:
    """The directions ``(x / z, y / z)`` of the rays of pixels ``(..., 2)``."""
    aimed = (pixels - [camera.cx_px, camera.cy_px]) / [camera.fx_px, camera.fy_px]
    found = aimed.copy()
    for _ in range(_UNDISTORTING):
        found = found + aimed - _distorted(camera, found)
    return found


def _distorted(camera: CameraCalibration, directions: Floats) -> Floats:
    k1, k2, p1, p2, k3 = camera.distortion
    x, y = directions[..., 0], directions[..., 1]
    squared = x * x + y * y
    radial = 1.0 + squared * (k1 + squared * (k2 + squared * k3))
    across = 2.0 * p1 * x * y + p2 * (squared + 2.0 * x * x)
    along = p1 * (squared + 2.0 * y * y) + 2.0 * p2 * x * y
    return np.stack([x * radial + across, y * radial + along], axis=-1)


def _paint(seen: Singles, rays: Singles, face: Face, T_camera_face: Transform) -> None:
    """Puts what the rays ``(h, w, 2)`` meet of a face into `seen`."""
    if (T_camera_face.rotation_matrix[:, 2] @ T_camera_face.translation_mm) >= 0.0:
        return  # seen from behind
    rows, columns = face.cells.shape
    plane = np.column_stack([T_camera_face.rotation_matrix[:, :2], T_camera_face.translation_mm])
    a, b, c = np.linalg.inv(plane).astype(np.float32)
    x, y = rays[..., 0], rays[..., 1]
    scale = 1.0 / (c[0] * x + c[1] * y + c[2])
    right = (a[0] * x + a[1] * y + a[2]) * scale / np.float32(face.cell_mm) + np.float32(columns / 2.0)
    down = np.float32(rows / 2.0) - (b[0] * x + b[1] * y + b[2]) * scale / np.float32(face.cell_mm)
    inside = (right >= 0.0) & (right < columns) & (down >= 0.0) & (down < rows) & (scale > 0.0)
    met = face.cells[down[inside].astype(np.intp), right[inside].astype(np.intp)]
    seen[inside] = np.where(np.isnan(met), seen[inside], met)
