"""The keys that a room file has for every device and tool; drivers add their own."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BeforeValidator, Field, model_validator
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import TRACKER
from navigation.devices.driver import Role, RoomFile, Settings, StampClock, ToolFilter
from navigation.devices.frame_order import LOST_AFTER_MS, STALE_AFTER_MS

Three = Annotated[list[float], Field(min_length=3, max_length=3)]
Four = Annotated[list[float], Field(min_length=4, max_length=4)]


def _as_text(value: object) -> object:
    """Ports of a device are numbers; elsewhere they are names."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise ValueError("a text or a whole number")
    return value


ToolId = Annotated[str, BeforeValidator(_as_text)]
# Markers on a patient work loose within hours, not minutes; a touch takes ten seconds.
VERIFY_AFTER_MIN = 30.0
# Two cameras do not stand so near to one another: the numbers are in metres.
NEAREST_CAMERAS_MM = 10.0
_UNIT_LENGTH = 1e-3


class Ages(Settings):
    """``[ages]``: when poses are too old, where this differs from the usual.

    Attributes:
        stale_after_ms, lost_after_ms: ages in ms above which poses are stale, and lost.
        verify_after_min: how long after a registration was measured or verified it is reminded of a touch.
    """

    stale_after_ms: float = Field(STALE_AFTER_MS, gt=0.0, le=1000.0)
    lost_after_ms: float = Field(LOST_AFTER_MS, gt=0.0, le=5000.0)
    verify_after_min: float = Field(VERIFY_AFTER_MIN, gt=0.0, le=1440.0)

    @model_validator(mode="after")
    def _lost_is_no_earlier_than_stale(self) -> Self:
        if self.lost_after_ms < self.stale_after_ms:
            raise ValueError("lost_after_ms no smaller than stale_after_ms")
        return self


class SweepKeys(Settings):
    """``[ultrasound.sweep]``: how a sweep becomes a volume and a surface; without it, `surgnav serve` takes none.

    Attributes:
        level: grey value of the images from which on the surface is made; no scanner's is known beforehand.
        spacing_mm: of the voxels.
        every_s: least time from one surface of a growing sweep to the next.
    """

    level: int = Field(ge=1, le=255)
    spacing_mm: float = Field(1.0, ge=0.2, le=10.0)
    every_s: float = Field(2.0, ge=0.5, le=60.0)


class UltrasoundKeys(Settings):
    """``[ultrasound]``: what is looked for in the live images of the room's probe; without it they are not used.

    Attributes:
        model: what `surgnav ultrasound run --model` takes by name.
        sweep: how a sweep becomes a volume and a surface.
    """

    model: Literal["nerve_vessel", "nerve_vessel_tiny", "bone"]
    sweep: SweepKeys | None = None


class DevicePose(Settings):
    """``[devices.NAME.pose]``: where a device stands, seen from the one that sees the reference.

    Attributes:
        seen_from: name of the device that sees the reference.
        translation_mm: origin of this device's frame in the frame of that one.
        quaternion_xyzw: rotation of this device's axes into those of that one.
    """

    seen_from: str
    translation_mm: Three
    quaternion_xyzw: Four

    @model_validator(mode="after")
    def _is_a_pose_in_mm(self) -> Self:
        length = float(np.linalg.norm(self.quaternion_xyzw))
        if abs(length - 1.0) > _UNIT_LENGTH:
            raise ValueError(f"a quaternion_xyzw of length 1, not {length:.4g}")
        apart_mm = float(np.linalg.norm(self.translation_mm))
        if apart_mm < NEAREST_CAMERAS_MM:
            raise ValueError(f"a translation_mm in millimetres: two devices are not {apart_mm:.3g} mm apart")
        return self

    def transform(self, device: str) -> Transform:
        """``T_tracker_<device>_tracker``."""
        rotation = Rotation.from_quat(self.quaternion_xyzw)
        return Transform.from_rotation(rotation, self.translation_mm, TRACKER, f"{device}_tracker")


class DeviceNoise(Settings):
    """``[devices.NAME.noise]``: what is assumed of a device that does not say how well it sees, such as NDI's.

    Attributes:
        translation_rms_mm: RMS length of the error of a tool's origin, from one frame to the next.
        rotation_rms_deg: RMS angle of the error of a tool's rotation.
        source: what says so: the model and its specification, or your own measurement.
    """

    translation_rms_mm: float = Field(gt=0.0, le=10.0)
    rotation_rms_deg: float = Field(gt=0.0, le=10.0)
    source: str = Field(min_length=1, max_length=200)


class DeviceKeys(Settings):
    """``[devices.NAME]``: what every device has; the driver's own keys stand beside these.

    Attributes:
        driver: name of the driver.
        clock: which clock gives the frames their time.
        latency_ms: from the exposure of a frame to its arrival: with clock = 'arrival' the time that is taken off, with
            'sensor' the least time that it can take.
        pose: where it stands; for every device but the one that sees the reference.
        noise: what is assumed of its noise; for devices that do not state it.
    """

    driver: str
    clock: StampClock | None = None
    latency_ms: float | None = Field(None, ge=0.0, le=1000.0)
    pose: DevicePose | None = None
    noise: DeviceNoise | None = None


class ToolKeys(Settings):
    """``[tools.NAME]``: what every tool has; the driver's own keys stand beside these.

    Attributes:
        device: name of the device that sees it.
        role: what it is for.
        id: its name, port or number at that device; the tool's name by default.
        calibration: its name in the rack; the newest accepted calibrations under it are in force.
        tip: JSON file of its calibrated tip, in place of a calibration in the rack.
        divot_mm: of the reference: a divot on it, in its marker's frame; tips that rest in it are checked.
        filter: how its published pose is filtered; of every tool but the reference.
    """

    device: str
    role: Role
    id: ToolId | None = None
    calibration: str | None = None
    tip: RoomFile | None = None
    divot_mm: tuple[float, float, float] | None = None
    filter: ToolFilter | None = None
