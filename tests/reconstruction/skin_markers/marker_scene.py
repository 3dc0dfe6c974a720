"""A slice of a patient with balls on the skin and everything that could be taken for one, and the scanner's faults.

Everything is drawn on a grid three times finer than the scan and averaged (partial volume), then blurred; streaks are
those of a filtered back-projection whose rays through metal were measured too weakly and too noisily.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import gaussian_filter

from geometry import Volume

FINE = 3
STEEL_HU = 20_000.0  # as it would be on a scale without an end
AXES_MM = np.array([62.0, 45.0])  # half width and half depth of the elliptic body


@dataclass
class Scene:
    """Grid, then what lies on it; centres are relative to the middle of the scan, mm, in the axes of the grid."""

    spacing_mm: tuple[float, float, float] = (0.7, 0.7, 1.0)
    size_mm: tuple[float, float, float] = (160.0, 130.0, 60.0)
    fwhm_mm: float = 1.2
    slice_fwhm_mm: float = 1.2
    sharpening: float = 0.0  # of the kernel: how far edges overshoot; 0.3 is a bone kernel's
    noise_hu: float = 30.0
    shift_mm: np.ndarray = field(default_factory=lambda: np.zeros(3))  # of the whole patient against the grid
    tilt_deg: float = 0.0  # of the grid in `ct`, about x

    def __post_init__(self) -> None:
        self.shape = np.round(np.array(self.size_mm) / self.spacing_mm).astype(int)
        fine = [
            (np.arange(n * FINE) - (n * FINE - 1) / 2.0) * step / FINE
            for n, step in zip(self.shape, self.spacing_mm, strict=True)
        ]
        self.axes = [axis.astype(np.float32) - np.float32(s) for axis, s in zip(fine, self.shift_mm, strict=True)]
        x, y, z = self._grid(slice(None), slice(None), slice(None))
        inside = (1.0 - np.hypot(x / AXES_MM[0], y / AXES_MM[1])) * AXES_MM.min() + 0.0 * z
        hu = np.full(inside.shape, -1000.0, np.float32)
        hu[inside > 0.0] = 20.0
        hu[inside > 1.8] = -95.0
        hu[inside > 7.0] = 55.0
        self.hu = hu

    def _grid(self, i, j, k):
        return self.axes[0][i][None, None, :], self.axes[1][j][None, :, None], self.axes[2][k][:, None, None]

    def _near(self, centre_mm, reach_mm: float):
        """The voxels within a box of `reach_mm` around a point, and their coordinates about it."""
        parts = [
            slice(*np.searchsorted(axis, (c - reach_mm, c + reach_mm)))
            for axis, c in zip(self.axes, centre_mm, strict=True)
        ]
        about = [part - np.float32(c) for part, c in zip(self._grid(*parts), centre_mm, strict=True)]
        return self.hu[parts[2], parts[1], parts[0]], about

    def paint(self, inside, hu: float, centre_mm, reach_mm: float) -> None:
        """Sets `hu` where ``inside(x, y, z)``, with coordinates about `centre_mm`, within a box of `reach_mm`."""
        window, about = self._near(centre_mm, reach_mm)
        window[np.broadcast_to(inside(*about), window.shape)] = hu

    def skin_point(self, angle_deg: float, z_mm: float, above_mm: float) -> np.ndarray:
        """A point `above_mm` over the skin; angles from the left side, to the back."""
        angle = np.radians(angle_deg)
        point = AXES_MM * [np.cos(angle), np.sin(angle)]
        normal = point / AXES_MM**2
        return np.array([*(point + above_mm * normal / np.linalg.norm(normal)), z_mm])

    def ball(self, centre_mm, diameter_mm: float, hu: float) -> None:
        """With partial volume on the fine grid too: its centre is the truth, to a few micrometres."""
        window, (x, y, z) = self._near(centre_mm, diameter_mm / 2.0 + 2.0)
        edge = np.cbrt(np.prod(self.spacing_mm)) / FINE
        share = np.clip(0.5 + (diameter_mm / 2.0 - np.sqrt(x**2 + y**2 + z**2)) / edge, 0.0, 1.0)
        window += share * (hu - window)

    def stick(self, start_mm, end_mm, diameter_mm: float, hu: float) -> None:
        """A wire, a needle, a tube, a rib."""
        start, end = np.asarray(start_mm), np.asarray(end_mm)
        along, middle = end - start, (start + end) / 2.0

        def inside(x, y, z):
            t = np.clip((x * along[0] + y * along[1] + z * along[2]) / (along @ along), -0.5, 0.5)
            return (x - t * along[0]) ** 2 + (y - t * along[1]) ** 2 + (z - t * along[2]) ** 2 < diameter_mm**2 / 4.0

        self.paint(inside, hu, middle, np.linalg.norm(along) / 2.0 + diameter_mm)

    def disc(self, centre_mm, normal, diameter_mm: float, height_mm: float, hu: float, hole_mm: float = 0.0) -> None:
        """A flat cylinder: an electrode's plate or stud; with a hole, a ring."""
        normal = np.asarray(normal) / np.linalg.norm(normal)

        def inside(x, y, z):
            t = x * normal[0] + y * normal[1] + z * normal[2]
            across2 = x**2 + y**2 + z**2 - t**2
            return (np.abs(t) < height_mm / 2.0) & (across2 < diameter_mm**2 / 4.0) & (across2 > hole_mm**2 / 4.0)

        self.paint(inside, hu, centre_mm, diameter_mm)

    def electrode(self, angle_deg: float, z_mm: float) -> None:
        """Plate, stud, snap and the start of its wire, in metal."""
        base, top = self.skin_point(angle_deg, z_mm, 0.8), self.skin_point(angle_deg, z_mm, 4.0)
        normal = top - base
        self.disc(base, normal, 10.0, 1.0, 1800.0)
        self.disc((base + top) / 2.0, normal, 4.0, 4.0, 3500.0)
        self.stick(top, self.skin_point(angle_deg + 12.0, z_mm + 15.0, 5.0), 1.6, 3000.0)

    def table(self) -> None:
        """A shell 8 mm below the back, with a metal rail in it."""
        for y in (AXES_MM[1] + 8.0, AXES_MM[1] + 14.0):
            self.paint(lambda x, y, z: (np.abs(y) < 0.8) & (np.abs(x) < 60.0), 150.0, (0.0, y, 0.0), 200.0)
        self.stick((-50.0, AXES_MM[1] + 11.0, -100.0), (-50.0, AXES_MM[1] + 11.0, 100.0), 3.0, 1500.0)

    def ribs(self) -> None:
        """Oblique arcs under the muscle; some come within 5 mm of the skin."""
        for start in np.arange(-40.0, 50.0, 17.0):
            for n, angle in enumerate(np.arange(100.0, 260.0, 12.0)):
                a = self.skin_point(angle, start + 1.5 * n, -9.0)
                b = self.skin_point(angle + 12.0, start + 1.5 * (n + 1), -9.0)
                self.stick(a, b, 8.0, 750.0)

    def clutter(self) -> None:
        """What lies in and on a patient, and is no marker."""
        self.ribs()
        self.table()
        self.electrode(-60.0, 4.0)
        for n in range(8):
            self.ball(self.skin_point(20.0 + 9.0 * n, -20.0 + 5.0 * n, -6.0 - n % 3), 3.0 + n % 3, 900.0)  # calcified
        self.stick((8.0, 12.0, -60.0), (10.0, 9.0, 60.0), 4.0, 420.0)  # contrast in a vessel
        self.stick((-6.0, -3.0, -60.0), (-4.0, -5.0, 60.0), 4.5, 300.0)  # a nasogastric tube and its opaque line
        self.stick((-4.0, -5.0, -60.0), (-2.0, -7.0, 60.0), 1.0, 2500.0)
        self.stick(self.skin_point(-100.0, 15.0, 30.0), self.skin_point(-100.0, 5.0, -30.0), 1.3, 6000.0)  # a needle
        self.stick(self.skin_point(-15.0, -50.0, 2.0), self.skin_point(5.0, 50.0, 1.5), 1.2, 3000.0)  # a wire

    def jaw(self) -> None:
        """Teeth with a filling close under the cheek, in the air of the mouth."""
        for n, angle in enumerate(np.arange(-114.0, -66.0, 9.0)):
            self.ball(self.skin_point(angle, 0.0, -15.0), 16.0, -1000.0)
            tooth = self.skin_point(angle, 0.0, -9.0)
            self.stick(tooth, tooth + [0.0, 0.0, 9.0], 5.0 + n % 2, 2400.0)
            if n % 2:
                self.ball(tooth, 4.0, 12_000.0)  # amalgam, seen on both sides of its tooth
            else:
                self.ball(self.skin_point(angle, -6.0, -8.0), 5.0, 2000.0)  # a crown that stands alone

    def scan(self, rng: np.random.Generator, streaks: bool = False) -> Volume:
        """The CT: partial volume, blur, streaks of everything above 2,500 HU, noise, and the 12 bits of a scanner."""
        n = self.shape
        hu = self.hu.reshape(n[2], FINE, n[1], FINE, n[0], FINE).mean(axis=(1, 3, 5))
        artefacts = np.stack([streaks_of(part, self.spacing_mm[0], rng) for part in hu]) if streaks else 0.0
        hu = self.blurred(hu, self.fwhm_mm) + artefacts
        noise = gaussian_filter(rng.standard_normal(hu.shape), 0.5)
        hu += self.noise_hu * noise / noise.std()
        return Volume(np.clip(np.round(hu), -1024, 3071).astype(np.int16), self.affine)

    def blurred(self, hu: np.ndarray, fwhm_mm: float) -> np.ndarray:
        """Behind the kernel: a Gaussian, less a share of a wider one in the plane where it sharpens edges."""
        steps = np.array(self.spacing_mm[::-1])
        narrow, wide = (
            np.array([self.slice_fwhm_mm, width, width]) / 2.3548 / steps for width in (fwhm_mm, 2.0 * fwhm_mm)
        )
        plain = gaussian_filter(hu, narrow, mode="nearest")
        if not self.sharpening:
            return plain
        return (1.0 + self.sharpening) * plain - self.sharpening * gaussian_filter(hu, wide, mode="nearest")

    @property
    def affine(self) -> np.ndarray:
        c, s = np.cos(np.radians(self.tilt_deg)), np.sin(np.radians(self.tilt_deg))
        affine = np.eye(4)
        affine[:3, :3] = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ np.diag(self.spacing_mm)
        affine[:3, 3] = np.array([12.3, -150.7, 803.9]) - affine[:3, :3] @ ((self.shape - 1) / 2.0)
        return affine

    def in_ct(self, points_mm) -> np.ndarray:
        """Points of the scene ``(n, 3)``, in `ct`."""
        index = (np.asarray(points_mm) + self.shift_mm) / self.spacing_mm + (self.shape - 1) / 2.0
        return index @ self.affine[:3, :3].T + self.affine[:3, 3]


def streaks_of(hu: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """What beam hardening and starved detectors add to one slice ``(nj, ni)`` that holds metal, in HU.

    Rays through metal are measured too weakly (``p - 0.1 p_metal^2``, at most 60 % off) and, where few photons arrive,
    noisily: Poisson counts of 1,500 photons a ray, few since real patients are three times as thick as this one.
    """
    from skimage.transform import iradon, radon

    metal = np.clip(hu - 2500.0, 0.0, None)
    if metal.max() < 200.0:
        return np.zeros_like(hu)
    water_per_mm, side = 0.0195, max(hu.shape)
    pads = [((side - n) // 2, side - n - (side - n) // 2) for n in hu.shape]
    angles = np.arange(0.0, 180.0, 0.75)

    def sums(image: np.ndarray) -> np.ndarray:
        return radon(np.pad(image, pads), angles, circle=False) * spacing_mm * water_per_mm / 1000.0

    of_metal, total = sums(np.where(metal > 0.0, hu + 1000.0, 0.0)), sums(hu + 1000.0)
    measured = total - np.minimum(0.1 * of_metal**2, 0.6 * of_metal)
    through = of_metal > 0.05
    counts = np.maximum(rng.poisson(1_500.0 * np.exp(-measured)), 1)
    measured = np.where(through, -np.log(counts / 1_500.0), measured)
    wrong = iradon(measured - total, angles, output_size=side, circle=False) * 1000.0 / (spacing_mm * water_per_mm)
    return wrong[pads[0][0] : side - pads[0][1], pads[1][0] : side - pads[1][1]]
