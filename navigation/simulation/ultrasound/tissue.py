"""What a simulated ultrasound beam meets: tissues on a fine grid, from a CT or from labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter

from geometry import Volume
from geometry.points import Floats, Singles, as_points, read_only
from navigation.errors import DeviceError

Classes = NDArray[np.uint8]

_SMOOTH_MM = 1.2  # over which the direction of an interface is taken
_LONGEST_TABLE = 255


@dataclass(frozen=True)
class Tissue:
    """Acoustic properties of one kind of tissue.

    Impedances and attenuations are rounded means of tables in Azhari, "Basics of biomedical ultrasound for engineers"
    (2010), appendix A; the levels of scattering are brought to what scanners show beside one another.

    Attributes:
        name: as truth images name it.
        impedance_mrayl: density times speed of sound, in 1e6 kg/(m^2 s).
        attenuation: in dB/(cm MHz), one way.
        scatter: amplitude of the scatterers, against that of muscle.
    """

    name: str
    impedance_mrayl: float
    attenuation: float
    scatter: float


WATER = Tissue("water", 1.48, 0.002, 0.0)
BLOOD = Tissue("vessel", 1.66, 0.2, 0.04)
FAT = Tissue("fat", 1.38, 0.5, 0.6)
MUSCLE = Tissue("soft tissue", 1.68, 0.7, 1.0)
LIVER = Tissue("liver", 1.66, 0.5, 0.8)
NERVE = Tissue("nerve", 1.72, 0.8, 1.6)
BONE = Tissue("bone", 6.5, 9.0, 20.0)  # its cortex: an echo of some millimetres, not of the surface alone
# In truth 0.0004; so much comes through that the shadow is grey with what goes to and fro before it ("dirty").
GAS = Tissue("gas", 0.06, 4.0, 8.0)

# Least HU of each, from a portal-venous CT; what has more contrast than soft tissue stays soft tissue.
_BY_HU = ((-2000.0, GAS), (-300.0, FAT), (-20.0, MUSCLE), (200.0, BONE))


@dataclass(frozen=True, eq=False)
class TissueGrid:
    """Tissues on a grid along the axes of ``ct``; beyond its edge it goes on as at its edge.

    Attributes:
        classes: number of the tissue at each voxel, ``(nk, nj, ni)``.
        origin_ct_mm: middle of voxel (0, 0, 0), ``(3,)``.
        spacing_mm: of the voxels, along all axes.
        tissues: by their numbers.
    """

    classes: Classes
    origin_ct_mm: Floats
    spacing_mm: float
    tissues: tuple[Tissue, ...]

    @classmethod
    def of_ct(cls, ct: Volume, corners_ct_mm: Floats, spacing_mm: float = 0.5) -> TissueGrid:
        """Tissues by the Hounsfield units of a CT, in a box between two corners ``(2, 3)`` in ``ct``.

        Gas, fat, soft tissue and bone only: vessels without contrast and nerves need labels.
        """
        low, shape = _box(corners_ct_mm, spacing_mm)
        values = _resampled(ct, low, shape, spacing_mm, outside=float(_BY_HU[0][0]))
        levels = np.array([hu for hu, _ in _BY_HU[1:]], np.float32)
        classes = np.digitize(values, levels).astype(np.uint8)
        return cls(read_only(classes), low, spacing_mm, tuple(tissue for _, tissue in _BY_HU))

    @classmethod
    def of_labels(
        cls, labels: Volume, tissues: Mapping[int, Tissue], corners_ct_mm: Floats, spacing_mm: float = 0.5
    ) -> TissueGrid:
        """Tissues by labels, in a box between two corners ``(2, 3)`` in ``ct``.

        Of the labels, the one with the largest share at a place wins, so that surfaces have no steps of whole voxels.

        Args:
            tissues: of each label that occurs, 0 too.

        Raises:
            DeviceError: a label without a tissue.
        """
        unknown = sorted(set(np.unique(labels.voxels).tolist()) - set(tissues))
        if unknown or len(tissues) > _LONGEST_TABLE:
            raise DeviceError(
                f"labels {unknown} without a tissue, {len(tissues)} with one",
                f"a tissue for each label, at most {_LONGEST_TABLE}",
                "state what the labels are for a beam of ultrasound",
            )
        low, shape = _box(corners_ct_mm, spacing_mm)
        best, classes = np.full(shape, -1.0, np.float32), np.zeros(shape, np.uint8)
        for number, label in enumerate(tissues):
            inside = labels.with_voxels((labels.voxels == label).astype(np.float32))
            share = _resampled(inside, low, shape, spacing_mm, outside=float(label == 0))
            classes[share > best] = number
            np.maximum(best, share, out=best)
        return cls(read_only(classes), low, spacing_mm, tuple(tissues.values()))

    @classmethod
    def of_shapes(
        cls,
        shapes: Mapping[Tissue, Callable[[Floats], Floats]],
        around: Tissue,
        corners_ct_mm: Floats,
        spacing_mm: float = 0.5,
    ) -> TissueGrid:
        """Tissues by signed distances (negative inside) of points ``(n, 3)`` in ``ct``; later shapes over former ones.

        Args:
            around: the tissue outside all shapes.
        """
        low, shape = _box(corners_ct_mm, spacing_mm)
        classes = np.zeros(shape, np.uint8)
        rows = np.moveaxis(np.indices(shape[1:]), 0, -1).reshape(-1, 2)[:, ::-1]
        for k in range(shape[0]):
            points = low + spacing_mm * np.column_stack([rows, np.full(len(rows), k)])
            for number, signed_mm in enumerate(shapes.values(), 1):
                classes[k][(signed_mm(points) < 0.0).reshape(shape[1:])] = number
        return cls(read_only(classes), low, spacing_mm, (around, *shapes))

    def write(self, path: Path) -> None:
        """Writes it as ``.npz``, for another process."""
        rows = [astuple(tissue) for tissue in self.tissues]
        np.savez_compressed(
            path,
            classes=self.classes,
            origin_ct_mm=self.origin_ct_mm,
            spacing_mm=self.spacing_mm,
            names=[name for name, *_ in rows],
            properties=[numbers for _, *numbers in rows],
        )

    @classmethod
    def read(cls, path: Path) -> TissueGrid:
        """Reads what `write` wrote."""
        with np.load(path) as kept:
            rows = zip(kept["names"].tolist(), kept["properties"].tolist(), strict=True)
            tissues = tuple(Tissue(name, *numbers) for name, numbers in rows)
            return cls(read_only(kept["classes"]), kept["origin_ct_mm"], float(kept["spacing_mm"]), tissues)

    def classes_at(self, points_ct_mm: Floats | Singles) -> Classes:
        """Number of the tissue at each point ``(3, n)`` in ``ct``, ``(n,)``."""
        found: Classes = self.classes.ravel()[self._flat(points_ct_mm)]
        return found

    def normals_at(self, points_ct_mm: Floats | Singles) -> Singles:
        """Unit vector across the interface near each point ``(3, n)`` in ``ct``, ``(3, n)``; zero where there is none.

        It is the direction in which the logarithm of the impedance changes most, over some 2 mm.
        """
        values = self._log_impedance.ravel()
        gradient = np.zeros((3, points_ct_mm.shape[1]), np.float32)
        for axis in range(3):
            step = np.zeros((3, 1), np.float32)
            step[axis] = self.spacing_mm
            ahead, behind = (values[self._flat(points_ct_mm + sign * step)] for sign in (1.0, -1.0))
            gradient[axis] = ahead.astype(np.float32) - behind
        length = np.linalg.norm(gradient, axis=0)
        unit: Singles = gradient / np.maximum(length, np.float32(1e-9))
        return unit

    def skin_under(self, outside_ct_mm: Floats, into_ct: Floats, reach_mm: float = 200.0) -> Floats:
        """Where rays from points outside the patient, ``(n, 3)`` in ``ct``, first meet what is not gas: ``(n, 3)``.

        A probe's face is put there: with a millimetre of gel, and not following each voxel of the skin.

        Args:
            into_ct: the direction of all rays, ``(3,)``.
            reach_mm: how far a ray goes; one that meets nothing ends there.
        """
        into = into_ct / np.linalg.norm(into_ct)
        steps_mm = np.arange(0.0, reach_mm, 0.5 * self.spacing_mm)
        points = outside_ct_mm[:, None] + steps_mm[:, None] * into
        classes = self.classes_at(points.reshape(-1, 3).T).reshape(points.shape[:2])
        solid = classes != self.tissues.index(GAS)
        first = np.where(solid.any(axis=1), solid.argmax(axis=1), len(steps_mm) - 1)
        smooth_mm = np.convolve(np.pad(steps_mm[first], 2, mode="edge"), np.full(5, 0.2), mode="valid")
        faces: Floats = outside_ct_mm + (smooth_mm[:, None] - 1.0) * into
        return faces

    @cached_property
    def _log_impedance(self) -> NDArray[np.float16]:
        table = np.log(np.array([max(tissue.impedance_mrayl, 0.5) for tissue in self.tissues], np.float32))
        smooth = gaussian_filter(table[self.classes], _SMOOTH_MM / self.spacing_mm, truncate=2.5)
        return smooth.astype(np.float16)

    def _flat(self, points_ct_mm: Floats | Singles) -> NDArray[np.int32]:
        """Index of the nearest voxel of each point ``(3, n)``, in the order of memory."""
        nk, nj, ni = self.classes.shape
        scale = np.float32(1.0 / self.spacing_mm)
        first = (self.origin_ct_mm - 0.5 * self.spacing_mm).astype(np.float32)
        flat = np.zeros(points_ct_mm.shape[1], np.int32)
        for axis, (count, stride) in enumerate(((ni, 1), (nj, ni), (nk, ni * nj))):
            index = ((points_ct_mm[axis] - first[axis]) * scale).astype(np.int32)
            flat += stride * np.clip(index, 0, count - 1, out=index)
        return flat


def _box(corners_ct_mm: Floats, spacing_mm: float) -> tuple[Floats, tuple[int, int, int]]:
    """The first voxel's middle, and the shape ``(nk, nj, ni)``."""
    corners = as_points(corners_ct_mm, "corners", minimum=2)
    low, high = corners.min(axis=0), corners.max(axis=0)
    ni, nj, nk = np.maximum(1, np.ceil((high - low) / spacing_mm).astype(int) + 1).tolist()
    return low, (nk, nj, ni)


def _resampled(
    volume: Volume, low_mm: Floats, shape: tuple[int, int, int], spacing_mm: float, outside: float
) -> Singles:
    """Values on the grid, by linear interpolation."""
    steps = np.eye(4)
    steps[:3, :3], steps[:3, 3] = spacing_mm * np.eye(3), low_mm
    to_index = np.linalg.inv(volume.affine) @ steps  # (i, j, k) of the grid to (i, j, k) of the volume
    found = np.zeros(shape, np.float32)
    affine_transform(
        volume.voxels.astype(np.float32),
        to_index[:3, :3][::-1, ::-1],
        to_index[:3, 3][::-1],
        shape,
        found,
        order=1,
        cval=outside,
    )
    return found
