"""How a simulated ultrasound image comes about from the tissues in its plane.

Each beam is followed from the face: scatterers that are fixed in the tissue echo with the level of the tissue, the
interfaces between tissues reflect by their impedances and by the angle at which they are met, and all that comes
later is weakened by both. The echoes are blurred by the pulse along the beam and by the beam's width across it, which
grows on both sides of the focus, and the envelope is compressed by its logarithm, as in Burger, Bettinghausen, Raedle
and Hesser, "Real-time GPU-based ultrasound simulation using deformable mesh models", IEEE TMI 32(3), 2013, and
Salehi, Ahmadi, Prevost, Navab and Wein, "Patient-specific 3D ultrasound simulation based on convolutional ray-tracing
and appearance optimization", MICCAI 2015. Beams are straight, the beam has no thickness, and nothing moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from calibration.ultrasound_probe.scan_geometry import ScanGeometry
from geometry.points import Floats, Singles, read_only
from navigation.devices.ultrasound.source import GreyPixels
from navigation.simulation.ultrasound.scan_conversion import ScanConversion
from navigation.simulation.ultrasound.tissue import GAS, WATER, Classes, Tissue, TissueGrid

_FIELD_VOXELS, _FIELD_MM = 96, 0.35  # scatterers repeat after 34 mm
_ROUGH_RAD, _DIFFUSE = 0.45, 0.1  # bone is rough: its echo lasts to some 45 degrees
_MUSCLE_AMPLITUDE = 0.008  # of scatterers, against a mirror's echo
_MOST_LOSS_DB = 200.0
_LEAST = np.float32(1e-20)  # a draw of the noise may be zero
_CONTACT_MM = 12.0  # as much gel as is put on


@dataclass(frozen=True, kw_only=True)
class BeamSettings:
    """How the scanner is set.

    Attributes:
        frequency_mhz: of the pulse; it attenuates in proportion.
        lines: beams.
        step_mm: between samples along a beam.
        pulse_mm: standard deviation of the pulse's envelope along the beam.
        focus_mm: depth at which the beam is narrowest.
        gain_db: of all echoes.
        tgc_db_per_cm: by how much more for each cm of depth.
        dynamic_range_db: from black to white.
        noise: amplitude of the receiver's noise, against a mirror's echo, before the gains.
    """

    frequency_mhz: float = 4.0
    lines: int = 128
    step_mm: float = 0.25
    pulse_mm: float = 0.25
    focus_mm: float = 45.0
    gain_db: float = 4.0
    tgc_db_per_cm: float = 4.6
    dynamic_range_db: float = 60.0
    noise: float = 1e-5


class UltrasoundSimulator:
    """Forms images of one patient with one probe; the same plane and seed give the same image.

    Args:
        tissue: the patient.
        geometry: of the scan.
        settings: of the scanner.
        seed: of the scatterers, which stay where they are in the tissue.
    """

    def __init__(
        self, tissue: TissueGrid, geometry: ScanGeometry, settings: BeamSettings | None = None, seed: int = 0
    ) -> None:
        self.tissue, self.geometry = tissue, geometry
        self.settings = settings or BeamSettings()
        self._deep_mm = np.arange(0.5 * self.settings.step_mm, geometry.depth_mm, self.settings.step_mm)
        beams = np.linspace(-1.0, 1.0, self.settings.lines)
        points_px = geometry.points_px(beams[None, :], self._deep_mm[:, None])
        self._shape = points_px.shape[:2]
        self._beam_px = np.ascontiguousarray(points_px.reshape(-1, 2).T.astype(np.float32))
        self._conversion = ScanConversion(geometry, self.settings.lines, self._deep_mm)
        self._field = _scatterers(seed)
        self._widths = _beam_widths(points_px, geometry, self._deep_mm, self.settings)
        self._tables = _Tables.of(tissue.tissues, self.settings)

    def image(self, T_ct_image_px: Floats, seed: int = 0) -> GreyPixels:
        """The grey image ``(h, w)``, black outside the scan.

        Args:
            T_ct_image_px: ``(4, 4)``, from ``(x px, y px, 0, 1)`` to ``ct`` in mm.
            seed: of the receiver's noise in this image.
        """
        points = self._on_beams(T_ct_image_px)
        classes = self._met(points)
        passed, mirrored = self._interfaces(points, classes)
        speckle = self._tables.scatter[classes] * passed * self._speckle(points)
        envelope = self._blurred(speckle, mirrored)
        return self._conversion.image(self._compressed(envelope, np.random.default_rng(seed)))

    def labels(self, T_ct_image_px: Floats) -> Classes:
        """The truth: number in `TissueGrid.tissues` at each pixel ``(h, w)``; 255 outside the scan."""
        width, height = self.geometry.size_px
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        found = self.tissue.classes_at(_placed(T_ct_image_px, np.stack([x.ravel(), y.ravel()]))).reshape(height, width)
        return np.where(self.geometry.mask, found, np.uint8(255))

    def surface_px(self, T_ct_image_px: Floats, tissue: Tissue) -> Floats:
        """The truth: where beams first meet a tissue, ``(n, 2)`` in px from the first beam to the last.

        Beams that meet gas or bone before it, or do not meet it, are left out.
        """
        classes = self._met(self._on_beams(T_ct_image_px))
        is_it = classes == self.tissue.tissues.index(tissue)
        opaque = np.isin(classes, [n for n, each in enumerate(self.tissue.tissues) if each.attenuation > 2.0])
        first, blocked = is_it.argmax(axis=0), (opaque & ~is_it).argmax(axis=0)
        never = ~(opaque & ~is_it).any(axis=0)
        lines = np.flatnonzero(is_it.any(axis=0) & (never | (first < blocked)))
        across = np.linspace(-1.0, 1.0, self.settings.lines)[lines]
        return self.geometry.points_px(across, self._deep_mm[first[lines]] - 0.5 * self.settings.step_mm)

    def _on_beams(self, T_ct_image_px: Floats) -> Singles:
        return _placed(T_ct_image_px, self._beam_px)

    def _met(self, points: Singles) -> Classes:
        """Numbers of the tissues along the beams ``(samples, lines)``; a thin layer of air before the skin is gel."""
        classes = self.tissue.classes_at(points).reshape(self._shape)
        if GAS not in self.tissue.tissues:
            return classes
        is_gas = classes == self.tissue.tissues.index(GAS)
        reached = np.where(is_gas.all(axis=0), len(is_gas), (~is_gas).argmax(axis=0))
        wet = reached * self.settings.step_mm <= _CONTACT_MM
        before = np.arange(len(is_gas))[:, None] < reached
        return np.where(before & wet, np.uint8(self._tables.gel), classes)

    def _interfaces(self, points: Singles, classes: Classes) -> tuple[Singles, Singles]:
        """Amplitudes ``(samples, lines)``: what comes back after all losses, and the echoes of interfaces."""
        loss_db = self._tables.loss_db[classes]
        mirrored = np.zeros(self._shape, np.float32)
        row, line = np.nonzero(classes[1:] != classes[:-1])
        if row.size:
            reflected = self._tables.reflected[classes[row, line], classes[row + 1, line]]
            mirrored[row + 1, line] = reflected * self._facing(points, row + 1, line)
            loss_db[row + 1, line] -= 10.0 * np.log10(1.0 - reflected**2)
        gone_db = np.cumsum(loss_db, axis=0) - loss_db
        passed = np.power(np.float32(10.0), -np.minimum(gone_db, _MOST_LOSS_DB) / 20.0, dtype=np.float32)
        return passed, mirrored * passed

    def _facing(self, points: Singles, row: NDArray[np.intp], line: NDArray[np.intp]) -> Singles:
        """Share of an interface's echo that comes back by its angle to the beam, 0 to 1."""
        on_beams = points.reshape(3, *self._shape)
        here = on_beams[:, row, line]
        along = here - on_beams[:, row - 1, line]
        along /= np.linalg.norm(along, axis=0)
        cosine = np.abs((along * self.tissue.normals_at(here)).sum(axis=0))
        angle = np.arccos(np.clip(cosine, 0.0, 1.0))
        share: Singles = _DIFFUSE * cosine + (1.0 - _DIFFUSE) * np.exp(-((angle / _ROUGH_RAD) ** 2))
        return share

    def _speckle(self, points: Singles) -> NDArray[np.complex64]:
        """The scatterers' field at the samples, by linear interpolation; it repeats."""
        scaled = points / np.float32(_FIELD_MM)
        low = np.floor(scaled)
        share, index = scaled - low, low.astype(np.int32) % _FIELD_VOXELS
        after = (index + 1) % _FIELD_VOXELS
        ends = [
            ((index[axis] * stride, 1.0 - share[axis]), (after[axis] * stride, share[axis]))
            for axis, stride in enumerate((1, _FIELD_VOXELS, _FIELD_VOXELS**2))
        ]
        found = np.zeros(points.shape[1], np.complex64)
        for at_z, of_z in ends[2]:
            for at_y, of_y in ends[1]:
                at_zy, of_zy = at_z + at_y, of_z * of_y
                for at_x, of_x in ends[0]:
                    found += self._field[at_zy + at_x] * (of_zy * of_x)
        return found.reshape(self._shape)

    def _blurred(self, speckle: NDArray[np.complex64], mirrored: Singles) -> Singles:
        """The envelope of all echoes after the point spread."""
        sigma = self.settings.pulse_mm / self.settings.step_mm
        # Scatterers add with random phases (power), a mirror's echo keeps its peak along the beam.
        power = np.float32(np.sqrt(2.0 * np.sqrt(np.pi) * sigma))
        peak = np.float32(np.sqrt(2.0 * np.pi) * sigma)
        scattered = power * _along(speckle.real, sigma) + 1j * (power * _along(speckle.imag, sigma))
        across = _across(scattered, self._widths) / np.sqrt((self._widths**2).sum(axis=1, keepdims=True))
        envelope: Singles = np.abs(across) + _across(peak * _along(mirrored, sigma), self._widths)
        return envelope

    def _compressed(self, envelope: Singles, rng: np.random.Generator) -> Singles:
        """Grey values 0 to 255 of the samples."""
        settings = self.settings
        noise = settings.noise * rng.standard_exponential(self._shape, np.float32)
        gain_db = settings.gain_db + settings.tgc_db_per_cm * 0.1 * self._deep_mm[:, None]
        level_db = 20.0 * np.log10(envelope + noise + _LEAST) + gain_db.astype(np.float32)
        grey: Singles = np.clip(255.0 * (1.0 + level_db / settings.dynamic_range_db), 0.0, 255.0)
        return grey.astype(np.float32, copy=False)


@dataclass(frozen=True, eq=False)
class _Tables:
    """Properties by the number of a tissue; `gel` is that of the gel."""

    scatter: Singles
    loss_db: Singles  # of a sample, there and back
    reflected: Singles  # amplitude of the echo, from one tissue to another
    gel: int

    @classmethod
    def of(cls, tissues: tuple[Tissue, ...], settings: BeamSettings) -> _Tables:
        every = (*tissues, WATER)
        impedance = np.array([tissue.impedance_mrayl for tissue in every])
        loss = np.array([tissue.attenuation for tissue in every]) * settings.frequency_mhz * 0.2 * settings.step_mm
        reflected = np.abs(np.subtract.outer(impedance, impedance)) / np.add.outer(impedance, impedance)
        scatter = _MUSCLE_AMPLITUDE * np.array([tissue.scatter for tissue in every])
        single = np.float32
        return cls(scatter.astype(single), loss.astype(single), reflected.astype(single), len(tissues))


def _placed(T_ct_image_px: Floats, points_px: Singles) -> Singles:
    """Points ``(2, n)`` in px, in ``ct``: ``(3, n)``."""
    matrix = np.asarray(T_ct_image_px, np.float64).astype(np.float32)
    placed: Singles = matrix[:3, :2] @ points_px + matrix[:3, 3:]
    return placed


def _scatterers(seed: int) -> NDArray[np.complex64]:
    """A complex field of unit power, smooth enough for linear interpolation to keep it so everywhere."""
    rng = np.random.default_rng(seed)
    parts = [gaussian_filter(rng.standard_normal((_FIELD_VOXELS,) * 3, np.float32), 0.7, mode="wrap") for _ in range(2)]
    field = (parts[0] + 1j * parts[1]).astype(np.complex64)
    return read_only((field / np.sqrt(np.mean(np.abs(field) ** 2))).ravel())


def _beam_widths(points_px: Floats, geometry: ScanGeometry, deep_mm: Floats, settings: BeamSettings) -> Singles:
    """Weights of the neighbouring lines at each depth, ``(samples, 2 r + 1)``, that add up to 1."""
    apart_mm = np.linalg.norm((points_px[:, 1] - points_px[:, 0]) * geometry.pixel_mm, axis=1)
    sigma_mm = 0.35 + 0.009 * np.abs(deep_mm - settings.focus_mm) + 0.006 * deep_mm
    sigma = sigma_mm / apart_mm
    reach = int(np.ceil(2.5 * sigma.max()))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma[:, None]) ** 2)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _along(samples: Singles, sigma: float) -> Singles:
    found: Singles = gaussian_filter1d(samples, sigma, axis=0, mode="constant", truncate=3.0)
    return found


def _across(samples: NDArray[np.generic], weights: Singles) -> NDArray[np.generic]:
    """The sum over neighbouring lines with weights by depth; the outermost lines stand for those beyond."""
    reach, lines = weights.shape[1] // 2, samples.shape[1]
    wide = np.pad(samples, ((0, 0), (reach, reach)), mode="edge")
    found = np.zeros_like(samples)
    for k in range(weights.shape[1]):
        found += weights[:, k : k + 1] * wide[:, k : k + lines]
    return found
