"""A torso defined by formulas: its CT, and the ground truth of every surface, marker and target in it.

It stands in for a real CT where none can be had, and serves tests: surfaces are the zero levels of closed-form fields
(`phantom.anatomy`), so errors are measured against the shape itself, not against another mesh. The image is that of a
scanner: partial volume, then a Gaussian point spread, then correlated noise; densities are those of a portal-venous CT.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from geometry.errors import SurgNavError
from geometry.frames import CT
from geometry.points import Floats, Singles, as_points, read_only
from geometry.volume import Volume
from reconstruction.network.classes import CLASS_INDEX, CLASSES
from reconstruction.phantom.anatomy import (
    LESION_CENTRE_MM,
    LESION_RADIUS_MM,
    MARKER_PLACES,
    PORTAL_BIFURCATION_MM,
    body_field,
    build_anatomy,
)
from reconstruction.phantom.shapes import Shape, Union, ellipsoid, signed_distance_mm, union
from reconstruction.phantom.skeleton import pedicle_mm, vertebra_centre_mm

FWHM_PER_SIGMA = 2.3548200450309493  # 2 sqrt(2 ln 2)
AIR_HU = -1000.0
MARKER_HU = 1500.0
MARKER_GAP_MM = 1.0  # the adhesive between skin and sphere

# Painted in this order, each over what lies below: shape, how far inside its surface (mm), HU, and the label it sets.
_LAYERS: tuple[tuple[str, float, float, str | None], ...] = (
    ("body", 0.0, 20.0, "body"),  # skin
    ("body", 2.0, -100.0, None),  # fat
    ("muscle", 0.0, 55.0, None),
    ("abdomen", 0.0, -85.0, None),
    ("psoas", 0.0, 58.0, None),
    ("bowel", 0.0, 38.0, None),
    ("stomach", 0.0, 30.0, None),
    ("stomach_gas", 0.0, -960.0, None),
    ("kidneys", 0.0, 165.0, None),
    ("spleen", 0.0, 118.0, None),
    ("mediastinal_fat", 0.0, -90.0, None),
    ("heart", 0.0, 150.0, None),
    ("lung", 0.0, -855.0, "lung"),
    ("lung_vessels", 0.0, 30.0, None),
    ("liver", 0.0, 108.0, "liver"),
    ("lesion", 0.0, 62.0, None),
    ("vessel", 0.0, 160.0, None),
    ("discs", 0.0, 85.0, None),
    ("canal", 0.0, 22.0, None),
    ("cartilage", 0.0, 105.0, None),
    ("bone", 0.0, 780.0, "bone"),  # cortex
    ("bone", 1.8, 230.0, None),  # spongy bone
)


class InvalidPhantomError(SurgNavError):
    """Settings that make no phantom, or a structure that it does not have."""


@dataclass(frozen=True, kw_only=True)
class TorsoPhantomSettings:
    """The scan of the phantom.

    Attributes:
        spacing_mm: distance of the voxels along x, y, z.
        extent_mm: size of the scanned box along x, y, z. The default holds the torso's width and depth with air around
            it, and cuts it above and below, as a chest-abdomen CT does.
        centre_ct: where the middle of the scanned box lies in `ct`; scanners rarely put it at 0.
        psf_fwhm_mm: full width at half maximum of the Gaussian point spread, all directions; 0 for none.
        noise_hu: standard deviation of the noise. It is white noise blurred by half a voxel, as reconstruction kernels
            leave it; 0 for none.
        texture_hu: standard deviation of the tissue's own unevenness (grains of 4 mm); lung has four times as much.
        marker_diameter_mm: radio-opaque skin markers, spheres 1 mm off the skin.
    """

    spacing_mm: tuple[float, float, float] = (1.5, 1.5, 1.5)
    extent_mm: tuple[float, float, float] = (372.0, 288.0, 300.0)
    centre_ct: tuple[float, float, float] = (6.5, -171.0, -1236.0)
    psf_fwhm_mm: float = 1.4
    noise_hu: float = 14.0
    texture_hu: float = 6.0
    marker_diameter_mm: float = 6.0

    def __post_init__(self) -> None:
        sizes = np.array([*self.spacing_mm, *self.extent_mm, self.marker_diameter_mm])
        rest = np.array([self.psf_fwhm_mm, self.noise_hu, self.texture_hu])
        if not (np.isfinite([*sizes, *rest, *self.centre_ct]).all() and (sizes > 0.0).all() and (rest >= 0.0).all()):
            raise InvalidPhantomError(
                f"the settings {self}",
                "finite numbers, sizes above 0, blur and noise not below 0",
                "correct the settings",
            )
        if (np.array(self.extent_mm) < 8.0 * np.array(self.spacing_mm)).any():
            raise InvalidPhantomError(
                f"a box of {self.extent_mm} mm with voxels of {self.spacing_mm} mm",
                "at least 8 voxels along each axis",
                "scan a larger box",
            )


@dataclass(frozen=True, eq=False)
class TorsoPhantom:
    """A scan and its ground truth, all in the frame `ct`.

    Attributes:
        ct: int16 HU.
        labels: uint8 on the same grid, the network's classes (`reconstruction.network.classes.CLASSES`) at voxel
            centres.
        marker_centres_ct: name -> centre of a skin marker, ``(3,)``.
        targets_ct: name -> a point that a surgeon aims at, ``(3,)``.
        exact_volumes_ml: structures whose volume is a closed formula.
        settings: the settings it was made with.
    """

    ct: Volume
    labels: Volume
    marker_centres_ct: Mapping[str, Floats]
    targets_ct: Mapping[str, Floats]
    exact_volumes_ml: Mapping[str, float]
    settings: TorsoPhantomSettings
    _shapes: Mapping[str, Shape]

    @property
    def structures(self) -> tuple[str, ...]:
        """Names that `signed_distance_mm` knows."""
        return tuple(sorted(self._shapes))

    def signed_distance_mm(self, name: str, points_ct: Floats) -> Floats:
        """Distance of points ``(n, 3)`` in `ct` to a structure's true surface, ``(n,)`` in mm; negative inside.

        Within 1 mm of the surface it is off by less than 0.01 mm (99 % of points; in creases sharper than the distance
        the nearest point can be missed). From 8 mm on only the sign can be relied on. Structures go on beyond the scan.
        """
        if name not in self._shapes:
            raise InvalidPhantomError(
                f"the structure '{name}'", f"one of {', '.join(self.structures)}", "use one of these names"
            )
        return signed_distance_mm(self._shapes[name], as_points(points_ct) - np.array(self.settings.centre_ct))


def make_torso_phantom(settings: TorsoPhantomSettings | None, rng: np.random.Generator) -> TorsoPhantom:
    """Makes the phantom; about 10 s at 1.5 mm. The same generator state gives the same voxels."""
    settings = settings or TorsoPhantomSettings()
    shapes = build_anatomy()
    markers = {name: _marker_centre_mm(*place, settings) for name, place in MARKER_PLACES.items()}
    radius = settings.marker_diameter_mm / 2.0
    balls = union([ellipsoid(centre, [radius] * 3) for centre in markers.values()], 0.1)

    axes, affine = _grid(settings)
    density, labels = _paint(shapes, balls, axes)
    _scan(density, settings, rng)
    voxels = np.clip(np.round(density), -1024, 3071).astype(np.int16)
    targets = {
        "liver_lesion": np.array(LESION_CENTRE_MM),
        "portal_bifurcation": np.array(PORTAL_BIFURCATION_MM),
        "pedicle_right": pedicle_mm(-2, -1.0),
        "vertebral_body": vertebra_centre_mm(0),
    }
    ball_ml = 4.0 / 3.0 * np.pi / 1000.0
    return TorsoPhantom(
        ct=Volume(voxels, affine, CT),
        labels=Volume(labels, affine, CT),
        marker_centres_ct=_in_ct(markers, settings),
        targets_ct=_in_ct(targets, settings),
        exact_volumes_ml=MappingProxyType(
            {"lesion": ball_ml * LESION_RADIUS_MM**3, "marker": ball_ml * radius**3 * len(markers)}
        ),
        settings=settings,
        _shapes=MappingProxyType({**shapes, "marker": balls}),
    )


def _in_ct(points_mm: Mapping[str, Floats], settings: TorsoPhantomSettings) -> Mapping[str, Floats]:
    centre = np.array(settings.centre_ct)
    return MappingProxyType({name: read_only(point + centre) for name, point in points_mm.items()})


def _grid(settings: TorsoPhantomSettings) -> tuple[list[Floats], Floats]:
    """Voxel centres along x, y, z in the phantom's frame, and the affine to `ct`."""
    spacing = np.array(settings.spacing_mm)
    counts = np.round(np.array(settings.extent_mm) / spacing).astype(int)
    axes = [(np.arange(n) - (n - 1) / 2.0) * s for n, s in zip(counts, spacing, strict=True)]
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = np.array([axis[0] for axis in axes]) + settings.centre_ct
    return axes, affine


def _marker_centre_mm(azimuth_deg: float, z: float, settings: TorsoPhantomSettings) -> Floats:
    """Goes out from the body's axis to the skin, then along the skin's normal."""
    azimuth = np.radians(azimuth_deg)
    outward = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
    inside, outside = 0.0, 250.0
    for _ in range(50):
        middle = (inside + outside) / 2.0
        if body_field(*(outward * middle + [0.0, 0.0, z])) < 0.0:
            inside = middle
        else:
            outside = middle
    skin = outward * inside + [0.0, 0.0, z]
    step = 1e-3
    normal = np.array([body_field(*(skin + d)) - body_field(*(skin - d)) for d in np.eye(3) * step])
    return skin + normal / np.linalg.norm(normal) * (settings.marker_diameter_mm / 2.0 + MARKER_GAP_MM)


def _paint(shapes: Mapping[str, Shape], markers: Union, axes: list[Floats]) -> tuple[Singles, NDArray[np.uint8]]:
    """Densities with partial volume in HU, and labels, both ``(nk, nj, ni)``."""
    grid_shape = tuple(len(axis) for axis in axes[::-1])
    density = np.full(grid_shape, AIR_HU, dtype=np.float32)
    labels = np.full(grid_shape, CLASSES.index("outside"), dtype=np.uint8)
    last: tuple[str, Any, Any] = ("", None, None)
    for name, inset_mm, hu, label in _LAYERS:
        if last[0] != name:
            last = (name, *shapes[name].on_grid(axes))
        _, window, field = last
        if not field.size:
            continue  # outside this scan
        share = _inside_share(field + np.float32(inset_mm))
        below = density[window]
        below += share * (np.float32(hu) - below)
        if label:
            labels[window][field < 0.0] = CLASS_INDEX[label]
    for ball in markers.parts:
        window, share = _fine_share(ball, axes)
        below = density[window]
        below += share * (np.float32(MARKER_HU) - below)
    return density, labels


def _fine_share(shape: Shape, axes: list[Floats], times: int = 4) -> tuple[Any, Singles]:
    """`_inside_share` on a finer grid, averaged: a marker's curvature within one voxel would cost 6 % of its mass."""
    window = shape.window(axes)
    steps = (np.arange(times) + 0.5) / times - 0.5
    fine = []
    for axis, part in zip(axes, window[::-1], strict=True):
        fine.append((axis[part][:, None] + steps * (axis[1] - axis[0])).reshape(-1))
    values = np.broadcast_to(
        shape.field(fine[0][None, None, :], fine[1][None, :, None], fine[2][:, None, None]),
        [len(axis) for axis in fine[::-1]],
    )
    share = _inside_share(values.astype(np.float32))
    blocks = [size for axis in fine[::-1] for size in (len(axis) // times, times)]
    return window, share.reshape(blocks).mean(axis=(1, 3, 5))


def _inside_share(field: Singles) -> Singles:
    """How much of each voxel lies inside the zero level: a ramp as wide as the voxel is along the surface's normal.

    The field's gradient per voxel is that width in the field's own units, so that no field need be a true distance. For
    a plane parallel to the voxels' faces the ramp is exact, for an oblique one within 0.06 (the ends of its ramp are
    rounded); sums over a neighbourhood are right for both, which is what the point spread then takes.
    """
    share = (field < 0.0).astype(np.float32)
    nk, nj, ni = field.shape
    flat = field.reshape(-1)
    # No surface crosses a voxel whose field exceeds the change over one voxel, here bounded generously.
    near = np.flatnonzero(np.abs(flat) < 6.0)
    width2 = np.zeros(len(near), dtype=np.float32)
    for count, stride in ((nk, nj * ni), (nj, ni), (ni, 1)):
        place = near // stride % count
        up, down = near + stride * (place < count - 1), near - stride * (place > 0)
        steps = np.maximum((up - down) // stride, 1)
        width2 += np.square((flat[up] - flat[down]) / steps)
    width = np.sqrt(width2) + np.float32(1e-6)
    share.reshape(-1)[near] = np.clip(0.5 - flat[near] / width, 0.0, 1.0)
    return share


def _scan(density: Singles, settings: TorsoPhantomSettings, rng: np.random.Generator) -> None:
    """Adds texture, point spread and noise, in place."""
    spacing_kji = np.array(settings.spacing_mm[::-1])
    if settings.texture_hu:
        grain = _correlated(rng, density.shape, 4.0 / FWHM_PER_SIGMA / spacing_kji)
        soft, lung = (density > -130.0) & (density < 300.0), (density < -700.0) & (density > -900.0)
        density += settings.texture_hu * grain * (soft + np.float32(4.0) * lung)
    if settings.psf_fwhm_mm:
        sigma = settings.psf_fwhm_mm / FWHM_PER_SIGMA / spacing_kji
        gaussian_filter(density, sigma, output=density, mode="nearest")
    if settings.noise_hu:
        density += settings.noise_hu * _correlated(rng, density.shape, np.full(3, 0.5))


def _correlated(rng: np.random.Generator, shape: tuple[int, ...], sigma_voxels: Floats) -> Singles:
    """Gaussian noise of standard deviation 1, blurred by `sigma_voxels`."""
    noise = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma_voxels, mode="wrap")
    return noise / np.float32(noise.std())
