"""Poses of one tool in the order of time: what every calibration takes, checked once where it enters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from calibration.errors import PoseStreamError
from geometry import Transform
from geometry.errors import FrameMismatchError
from geometry.frames import check_frame
from geometry.points import Bools, Floats, read_only
from geometry.transform import ORTHONORMALITY_TOLERANCE

# No tracker sees a tool this near to its origin during a whole recording: the numbers are in metres.
NEAREST_MM = 10.0
# How far a pose in metres may be from its neighbour in mm, as a share, and still be the same place.
_SAME_PLACE = 0.3
_MM_PER_M = 1000.0
_IN_ORDER = "record or export it again, with the times of the device and each frame once"
_IN_MM = "multiply the translations of the recording by 1000 where it is read, or say that it is in metres"


@dataclass(frozen=True, eq=False)
class PoseStream:
    """The poses of one tool as one device saw them, lost ones left out.

    Attributes:
        to_frame, from_frame: the poses are ``T_to_from``, such as ``T_tracker_stylus``.
        time_s: times of capture in s on the device's clock, ``(n,)``, strictly increasing.
        poses: homogeneous matrices ``(n, 4, 4)``, right-handed, translations in mm.
        n_missing: frames without a pose of the tool.
        source: name of the file or of the device that they come from.

    Raises:
        PoseStreamError: no poses; numbers that are not finite; matrices that are no rotations (a mirrored one is called
            so); times that go back, stand still or do not belong to the poses; translations that are in metres, all of
            them or some; the identity where a tool was lost.
        InvalidFrameError: a name that cannot be a frame.
    """

    to_frame: str
    from_frame: str
    time_s: Floats
    poses: Floats
    n_missing: int
    source: str

    def __post_init__(self) -> None:
        check_frame(self.to_frame), check_frame(self.from_frame)
        object.__setattr__(self, "time_s", read_only(np.array(self.time_s, dtype=np.float64)))
        object.__setattr__(self, "poses", read_only(np.array(self.poses, dtype=np.float64)))
        self._check_shapes()
        self._check_times()
        self._check_rotations()
        self._check_unit()

    @classmethod
    def of(cls, times_s: Sequence[float], transforms: Sequence[Transform], n_missing: int, source: str) -> PoseStream:
        """The stream of these transforms, one for each time.

        Raises:
            PoseStreamError: as the constructor.
            FrameMismatchError: transforms between different frames.
        """
        if not transforms:
            raise _empty(source, n_missing)
        first = transforms[0]
        for other in transforms:
            if (other.to_frame, other.from_frame) != (first.to_frame, first.from_frame):
                came = f"the pose {other} among poses {first} in {source}"
                raise FrameMismatchError(came, "poses between the same two frames", "separate the poses by tool")
        matrices = np.stack([each.matrix for each in transforms])
        return cls(first.to_frame, first.from_frame, np.array(times_s), matrices, n_missing, source)

    def __len__(self) -> int:
        return len(self.time_s)

    @property
    def name(self) -> str:
        """``T_to_from``."""
        return f"T_{self.to_frame}_{self.from_frame}"

    @property
    def duration_s(self) -> float:
        """From the first pose to the last."""
        return float(self.time_s[-1] - self.time_s[0])

    def transforms(self) -> list[Transform]:
        """The poses one by one."""
        return [Transform(matrix, self.to_frame, self.from_frame) for matrix in self.poses]

    def part(self, chosen: Bools | NDArray[np.integer] | slice) -> PoseStream:
        """The poses chosen by a mask ``(n,)``, by increasing indices or by a slice; `n_missing` stays that of all."""
        time_s, poses = self.time_s[chosen], self.poses[chosen]
        return PoseStream(self.to_frame, self.from_frame, time_s, poses, self.n_missing, self.source)

    def renamed(self, from_frame: str) -> PoseStream:
        """The same poses of a tool that goes by another name."""
        return PoseStream(self.to_frame, from_frame, self.time_s, self.poses, self.n_missing, self.source)

    # ---------------------------------------------------------------------------------------------------------- checks
    def _check_shapes(self) -> None:
        if self.time_s.size == 0 and self.poses.size == 0:
            raise _empty(self.source, self.n_missing)
        if self.time_s.ndim != 1 or self.poses.shape != (len(self.time_s), 4, 4):
            self._refuse(
                f"{self.name} of shape {self.poses.shape} with times of shape {self.time_s.shape}",
                "a matrix (4, 4) for each time",
                "pass poses (n, 4, 4) and times (n,)",
            )
        for what, numbers in (("time", self.time_s), ("pose", self.poses)):
            bad = np.flatnonzero(~np.isfinite(numbers.reshape(len(numbers), -1)).all(axis=1))
            if len(bad):
                self._refuse(
                    f"NaN or infinity in the {what} of {self._at(bad)}",
                    "finite numbers",
                    "leave out frames in which the tool was lost, and count them as missing",
                )
        if self.n_missing < 0:
            self._refuse(f"{self.n_missing} missing frames", "a count", "count the frames without a pose")

    def _check_times(self) -> None:
        steps_s = np.diff(self.time_s)
        if len(steps_s) and (steps_s < 0.0).all():
            self._refuse("times that run backwards from the first pose to the last", "times that increase", _IN_ORDER)
        for came, bad in (
            ("times that go back", np.flatnonzero(steps_s < 0.0) + 1),
            ("the same time twice", np.flatnonzero(steps_s == 0.0) + 1),
        ):
            if len(bad):
                self._refuse(f"{came}, at {self._at(bad)}", "times that increase from pose to pose", _IN_ORDER)

    def _check_rotations(self) -> None:
        identity = np.flatnonzero((self.poses == np.eye(4)).all(axis=(1, 2)))
        if len(identity):
            self._refuse(
                f"the identity as {self._at(identity)}",
                "no pose where the tool was lost",
                "leave out these frames and count them as missing; a recorder writes the identity for a lost tool",
            )
        last_row = np.flatnonzero((self.poses[:, 3] != (0.0, 0.0, 0.0, 1.0)).any(axis=1))
        if len(last_row):
            row = ", ".join(f"{value:g}" for value in self.poses[last_row[0], 3])
            action = "transpose the matrices where they are read, if they were written column by column"
            self._refuse(f"a last row of ({row}) in {self._at(last_row)}", "(0, 0, 0, 1)", action)
        rotations = self.poses[:, :3, :3]
        off = np.abs(rotations @ rotations.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
        bent = np.flatnonzero(off > ORTHONORMALITY_TOLERANCE)
        if len(bent):
            self._refuse(
                f"a rotation off orthonormal by {off.max():.2g}, in {self._at(bent)}",
                f"at most {ORTHONORMALITY_TOLERANCE:g}: no scale, no shear",
                "remove the scale, or project onto a rotation where the matrices are read",
            )
        mirrored = np.flatnonzero(np.linalg.det(rotations) < 0.0)
        if len(mirrored):
            self._refuse(
                f"a mirrored rotation (determinant -1) in {self._at(mirrored)}",
                "right-handed frames",
                "convert from the left-handed frame of the program that recorded it, where it is read",
            )

    def _check_unit(self) -> None:
        translations = self.poses[:, :3, 3]
        lengths = np.linalg.norm(translations, axis=1)
        if lengths.max() < NEAREST_MM:
            self._refuse(
                f"translations of {lengths.max():.3g} at most, which are metres",
                f"millimetres: a tool is {NEAREST_MM:g} mm and more from the origin of its tracker",
                _IN_MM,
            )
        small = lengths < np.sqrt(lengths.max() * max(lengths.min(), 1e-9))
        where_small, where_large = np.flatnonzero(small), np.flatnonzero(~small)
        if not len(where_small):
            return
        # A tool that passes its tracker's origin is there as well where it has just been: only another unit has its
        # neighbour in time at the same place times a thousand.
        after = np.minimum(np.searchsorted(where_large, where_small), len(where_large) - 1)
        before = np.maximum(after - 1, 0)
        for neighbours in (where_large[after], where_large[before]):
            apart = np.linalg.norm(_MM_PER_M * translations[where_small] - translations[neighbours], axis=1)
            bad = where_small[apart < _SAME_PLACE * lengths[neighbours]]
            if len(bad):
                self._refuse(
                    f"mixed units: {self._at(bad)} in metres among poses in millimetres",
                    "one unit, millimetres",
                    "record it again, or convert these poses where they are read",
                )

    def _at(self, indices: NDArray[np.intp]) -> str:
        """Which poses, by number from 0 on: the first, and how many there are."""
        first = f"pose {indices[0]}"
        return first if len(indices) == 1 else f"{len(indices)} of {len(self.time_s)} poses, the first of them {first}"

    def _refuse(self, came: str, allowed: str, action: str) -> NoReturn:
        raise PoseStreamError(f"{self.source} with {came}", allowed, action)


def _empty(source: str, n_missing: int) -> PoseStreamError:
    lost = f", but {n_missing} frames in which it was lost" if n_missing else ""
    return PoseStreamError(
        f"{source} without a pose of the tool{lost}",
        "poses of the tool",
        "check that the recording is whole and of this tool, and that the tracker saw it",
    )
