"""A simulated stereo infrared tracker, modelled at the level of the markers' spheres.

Each sphere is measured with an anisotropic error that is larger along the viewing direction. It has two parts: a
distortion that is fixed in space and varies slowly over the volume, and a smaller jitter that is independent in every
frame (Wiles, Thompson and Frantz, "Accuracy assessment and interpretation for optical tracking systems", SPIE 5367,
2004). A tool's pose is the rigid fit to its spheres, as in a real tracker, so that the errors of position and angle
follow from the marker's geometry.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from geometry import Transform
from geometry.frames import TRACKER
from geometry.points import Floats
from navigation.clock import NS_PER_S, PacedClock
from navigation.devices.tracker import CONNECTED, DeviceState, ToolObservation, TrackerFrame, Visibility
from navigation.simulation.marker_noise import MarkerNoise

_WAVES = 16

TruePose = Callable[[str, int], Transform | None]
"""Maps a tool and a time in ns to its true ``T_tracker_tool``; None where something stands in the way."""


@dataclass(frozen=True, kw_only=True)
class OpticalTrackerSettings:
    """The error model and the measurement volume.

    Attributes:
        rate_hz: frames per second.
        sphere_error_rms_mm: RMS length of a sphere's error vector, distortion and jitter, at `reference_depth_mm`.
            Manufacturers of such trackers state 0.25 mm for a single marker over the volume.
        jitter_rms_mm: RMS length of the part that is independent in every frame; the rest is distortion, which does not
            average out over frames.
        distortion_length_mm: wavelength of the distortion.
        depth_error_ratio: ratio of the error along the viewing direction to that across it.
        reference_depth_mm: distance from the camera up to which the errors hold; beyond it, they grow with its square.
        dropout_probability: probability that a tool is missing in a frame without a visible reason.
        depth_range_mm: nearest and farthest measurable distance along the viewing direction.
        half_angle_rad: half the opening angle of the measurement volume.
        max_tilt_rad: largest angle between a marker and the camera at which the marker is seen.
    """

    rate_hz: float = 100.0
    sphere_error_rms_mm: float = 0.25
    jitter_rms_mm: float = 0.08
    distortion_length_mm: float = 800.0
    depth_error_ratio: float = 3.0
    reference_depth_mm: float = 1600.0
    dropout_probability: float = 0.003
    depth_range_mm: tuple[float, float] = (950.0, 2400.0)
    half_angle_rad: float = np.deg2rad(28.0)
    max_tilt_rad: float = np.deg2rad(75.0)


class SimulatedOpticalTracker:
    """Satisfies `navigation.devices.tracker.Tracker`.

    Args:
        true_pose: returns the true pose of a tool at a capture time in ns; None if it is hidden.
        spheres_mm: tool -> positions of its spheres ``(n, 3)`` in the marker's frame, whose +z faces the camera.
        clock: paces the frames. A late reader gets the newest frame and misses those before it, as on a real device.
        rng: draws jitter and dropouts.
        distortion_rng: draws the distortion field once; the same seed gives the same camera.
        unknown_mm: as `spheres_mm`, of tools whose spheres are given as single points, in no order.
    """

    def __init__(
        self,
        true_pose: TruePose,
        spheres_mm: Mapping[str, Floats],
        clock: PacedClock,
        rng: np.random.Generator,
        distortion_rng: np.random.Generator,
        settings: OpticalTrackerSettings | None = None,
        unknown_mm: Mapping[str, Floats] | None = None,
    ) -> None:
        self._true_pose = true_pose
        self._unknown_mm = dict(unknown_mm or {})
        self._spheres_mm = dict(spheres_mm)
        self._clock = clock
        self._rng = rng
        self._settings = settings or OpticalTrackerSettings()
        self._period_ns = round(NS_PER_S / self._settings.rate_hz)
        self._sequence = 0
        self._next_ns = 0
        ratio = self._settings.depth_error_ratio
        noise = self._settings.jitter_rms_mm, ratio, self._settings.reference_depth_mm
        self._noise = {tool: MarkerNoise(spheres, *noise) for tool, spheres in spheres_mm.items()}
        self._axes_share = np.array([1.0, 1.0, ratio]) / np.sqrt(2.0 + ratio**2)
        # Random Fourier features: a sum of plane waves is a smooth field with known RMS and wavelength.
        directions = distortion_rng.normal(size=(3, _WAVES, 3))
        directions /= np.linalg.norm(directions, axis=2, keepdims=True)
        self._waves = 2.0 * np.pi / self._settings.distortion_length_mm * directions
        self._phases = distortion_rng.uniform(0.0, 2.0 * np.pi, size=(3, _WAVES))

    @property
    def tools(self) -> tuple[str, ...]:
        return tuple(self._spheres_mm)

    @property
    def rate_hz(self) -> float:
        return self._settings.rate_hz

    @property
    def state(self) -> DeviceState:
        return CONNECTED

    def start(self) -> None:
        self._next_ns = self._clock.now_ns() + self._period_ns

    def stop(self) -> None:
        """Does nothing: there is nothing to release."""

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        now_ns = self._clock.now_ns()
        if self._next_ns - now_ns > timeout_ns:
            self._clock.sleep_until_ns(now_ns + timeout_ns)
            return None
        missed = max(0, now_ns - self._next_ns) // self._period_ns
        capture_ns = self._next_ns + missed * self._period_ns
        self._next_ns = capture_ns + self._period_ns
        self._sequence += 1 + missed
        # Computed before the capture time, so that simulating does not count as latency of the system under test.
        tools = self._observe(capture_ns)
        self._clock.sleep_until_ns(capture_ns)
        return TrackerFrame(self._sequence, capture_ns, tools, self._strays(capture_ns))

    def _strays(self, time_ns: int) -> Floats | None:
        """The spheres of unknown tools at `time_ns`, ``(n, 3)`` in no order; None if there are no such tools."""
        if not self._unknown_mm:
            return None
        seen = [np.zeros((0, 3))]
        for tool, spheres_tool in self._unknown_mm.items():
            truth = self._true_pose(tool, time_ns)
            spheres = None if truth is None else truth.apply(spheres_tool)
            if spheres is not None and self._unseen(truth, spheres) is None:
                seen.append(spheres + self.sphere_errors(spheres))
        return self._rng.permutation(np.concatenate(seen))

    def _observe(self, time_ns: int) -> dict[str, ToolObservation]:
        """Observations of all tools at `time_ns`; all markers are fitted in one call to save time."""
        observed: dict[str, ToolObservation | None] = {}
        spheres: list[Floats] = []
        jitter: list[Floats] = []
        for tool, spheres_tool in self._spheres_mm.items():
            truth = self._true_pose(tool, time_ns)
            hidden = truth is None or self._rng.random() < self._settings.dropout_probability
            spheres_tracker = None if truth is None or hidden else truth.apply(spheres_tool)
            observed[tool] = self._unseen(truth, spheres_tracker)
            if spheres_tracker is not None and observed[tool] is None:
                spheres.append(spheres_tracker)
                jitter.append(self._jitter(spheres_tracker.shape))
        seen = [tool for tool, unseen in observed.items() if unseen is None]
        if seen:
            errors = self._errors(np.concatenate(spheres), np.concatenate(jitter))
            measured = np.split(np.concatenate(spheres) + errors, np.cumsum([len(each) for each in spheres])[:-1])
            fits = _fit_all([self._spheres_mm[tool] for tool in seen], measured)
            for tool, (matrix, fit_rms_mm) in zip(seen, fits, strict=True):
                pose = Transform(matrix, TRACKER, tool)
                covariance = self._noise[tool].covariance(pose)
                observed[tool] = ToolObservation(Visibility.VISIBLE, pose, fit_rms_mm, covariance=covariance)
        return {tool: each for tool, each in observed.items() if each is not None}

    def _unseen(self, truth: Transform | None, spheres_tracker: Floats | None) -> ToolObservation | None:
        """The observation of a tool that is not visible, with the reason; None if it is visible."""
        if truth is None or spheres_tracker is None:
            return ToolObservation(Visibility.OCCLUDED)
        if not self._in_volume(spheres_tracker):
            return ToolObservation(Visibility.OUT_OF_VOLUME)
        x, y, z = truth.translation_mm.tolist()
        ahead_x, ahead_y, ahead_z = truth.rotation_matrix[:, 2].tolist()
        facing = -(x * ahead_x + y * ahead_y + z * ahead_z) / math.sqrt(x * x + y * y + z * z)
        return ToolObservation(Visibility.OCCLUDED) if facing < math.cos(self._settings.max_tilt_rad) else None

    def sphere_errors(self, spheres_tracker: Floats) -> Floats:
        """Draws the error vectors ``(n, 3)`` in mm of spheres at `spheres_tracker` ``(n, 3)`` for one frame."""
        return self._errors(spheres_tracker, self._jitter(spheres_tracker.shape))

    def _jitter(self, shape: tuple[int, ...]) -> Floats:
        return self._settings.jitter_rms_mm * self._rng.normal(size=shape)

    def _errors(self, spheres_tracker: Floats, jitter: Floats) -> Floats:
        settings = self._settings
        growth = np.maximum(1.0, spheres_tracker[:, 2:] / settings.reference_depth_mm) ** 2
        distortion_rms_mm = math.sqrt(settings.sphere_error_rms_mm**2 - settings.jitter_rms_mm**2)
        angles = np.einsum("awc,nc->naw", self._waves, spheres_tracker) + self._phases
        distortion = distortion_rms_mm * math.sqrt(2.0 / _WAVES) * np.cos(angles).sum(axis=2)
        errors: Floats = (distortion + jitter) * self._axes_share * growth
        return errors

    def _in_volume(self, spheres_tracker: Floats) -> bool:
        nearest, farthest = self._settings.depth_range_mm
        opening = math.tan(self._settings.half_angle_rad)
        rows = spheres_tracker.tolist()
        return all(nearest < z < farthest and math.hypot(x, y) < z * opening for x, y, z in rows)


def _fit_all(sources: list[Floats], targets: list[Floats]) -> list[tuple[Floats, float]]:
    """`fit_rigid` of each pair; in one call if all have the same number of points, as the usual tools do."""
    if len({len(source) for source in sources}) > 1:
        return [fit_rigid(source, target) for source, target in zip(sources, targets, strict=True)]
    matrices, rms_mm = _fit_rigid_stack(np.stack(sources), np.stack(targets))
    return list(zip(matrices, rms_mm.tolist(), strict=True))


def fit_rigid(source: Floats, target: Floats) -> tuple[Floats, float]:
    """The tracker's fit of a marker: rigid least squares by SVD (Arun, Huang and Blostein 1987).

    It is separate from the registration's fit since it belongs to the device: a real tracker does it in firmware.

    Args:
        source, target: corresponding points, ``(n, 3)`` each, in mm.

    Returns:
        The homogeneous matrix ``(4, 4)`` from source to target, and the RMS distance in mm.
    """
    matrices, rms_mm = _fit_rigid_stack(source[None], target[None])
    return matrices[0], float(rms_mm[0])


def _fit_rigid_stack(source: Floats, target: Floats) -> tuple[Floats, Floats]:
    """`fit_rigid` of k markers with n points each, ``(k, n, 3)``; returns ``(k, 4, 4)`` and ``(k,)``."""
    source_mean, target_mean = source.mean(axis=1, keepdims=True), target.mean(axis=1, keepdims=True)
    u, _, vt = np.linalg.svd((source - source_mean).swapaxes(1, 2) @ (target - target_mean))
    v = vt.swapaxes(1, 2)
    v[:, :, 2] *= np.sign(np.linalg.det(u) * np.linalg.det(v))[:, None]
    rotation = v @ u.swapaxes(1, 2)
    matrices = np.zeros((len(source), 4, 4))
    matrices[:, :3, :3], matrices[:, 3, 3] = rotation, 1.0
    matrices[:, :3, 3] = (target_mean - source_mean @ rotation.swapaxes(1, 2))[:, 0]
    residuals = source @ rotation.swapaxes(1, 2) + matrices[:, None, :3, 3] - target
    return matrices, np.sqrt((residuals**2).sum(axis=2).mean(axis=1))
