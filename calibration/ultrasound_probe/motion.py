"""Poses of the probe at any time between those that were measured."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from calibration.ultrasound_probe.errors import ProbeInputError
from geometry.points import Bools, Floats, read_only


@dataclass(frozen=True, eq=False)
class ProbeMotion:
    """How the probe moved while images were taken.

    Attributes:
        time_s: times of the poses in s, ``(n,)``, increasing.
        poses: ``T_fixed_probe``, ``(n, 4, 4)`` in mm, only those that were seen.
        longest_gap_s: between poses farther apart than this, no pose is made up.

    Raises:
        ProbeInputError: fewer than two poses, other shapes, not finite, or times that do not increase.
    """

    time_s: Floats
    poses: Floats
    longest_gap_s: float = 0.5
    _turning: Slerp = field(init=False, repr=False)

    def __post_init__(self) -> None:
        time_s, poses = np.array(self.time_s, np.float64), np.array(self.poses, np.float64)
        shaped = time_s.ndim == 1 and len(time_s) >= 2 and poses.shape == (len(time_s), 4, 4)
        if not shaped or not (np.isfinite(time_s).all() and np.isfinite(poses).all()):
            came = f"times of shape {time_s.shape} and poses of shape {poses.shape}, or some that are not finite"
            raise ProbeInputError(came, "two or more times (n,) and poses (n, 4, 4)", "leave out poses that were lost")
        if (late := np.flatnonzero(np.diff(time_s) <= 0.0)).size:
            raise ProbeInputError(
                f"pose {late[0] + 1} at {time_s[late[0] + 1]:.3f} s after a pose at {time_s[late[0]]:.3f} s",
                "times that increase",
                "sort the poses by time, and leave out repeated ones",
            )
        object.__setattr__(self, "time_s", read_only(time_s))
        object.__setattr__(self, "poses", read_only(poses))
        object.__setattr__(self, "_turning", Slerp(time_s, Rotation.from_matrix(poses[:, :3, :3])))

    def places_at(self, time_s: Floats) -> tuple[Floats, Bools]:
        """Where the marker was at these times, ``(m, 3)`` in mm, and which of them lie between two measured poses.

        What lies outside the recording has the place of its nearest end, and what lies in a gap one of the straight
        path over it; neither is to be used.
        """
        inside = np.clip(time_s, self.time_s[0], self.time_s[-1])
        after = np.clip(np.searchsorted(self.time_s, inside), 1, len(self.time_s) - 1)
        gap_s = self.time_s[after] - self.time_s[after - 1]
        share = ((inside - self.time_s[after - 1]) / gap_s)[:, None]
        places = (1.0 - share) * self.poses[after - 1, :3, 3] + share * self.poses[after, :3, 3]
        return places, (inside == time_s) & (gap_s <= self.longest_gap_s)

    def at(self, time_s: Floats) -> tuple[Floats, Bools]:
        """Poses ``(m, 4, 4)`` at these times, and which may be used: as `places_at`, turned along the shortest arc."""
        poses = np.tile(np.eye(4), (len(time_s), 1, 1))
        poses[:, :3, 3], known = self.places_at(time_s)
        inside = np.clip(time_s, self.time_s[0], self.time_s[-1])
        poses[:, :3, :3] = self._turning(inside).as_matrix()
        return poses, known
