"""The frame table: every coordinate frame that SurgNav knows, its meaning and its units.

``T_a_b`` maps points from frame b to frame a: ``p_a = T_a_b @ p_b``; in a product, neighbours cancel. The markers of
further tools (``driver``, ``pointer_2``, ...) are frames as well: any lower-case identifier is a valid tool frame.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from geometry.errors import InvalidFrameError

CT = "ct"
TRACKER = "tracker"
REFERENCE = "reference"
STYLUS = "stylus"
STYLUS_TIP = "stylus_tip"
PROBE = "probe"
IMAGE = "image"
CAMERA = "camera"
HEADSET = "headset"
UNITY = "unity"


@dataclass(frozen=True)
class FrameInfo:
    """One row of the frame table."""

    name: str
    meaning: str
    units: str
    handedness: str = "right"


FRAMES: tuple[FrameInfo, ...] = (
    FrameInfo(CT, "DICOM patient coordinates of the CT series, LPS", "mm"),
    FrameInfo(TRACKER, "the tracking camera", "mm"),
    FrameInfo(REFERENCE, "the marker fixed to the patient; all navigation is relative to it", "mm"),
    FrameInfo(STYLUS, "the marker of the stylus (likewise every tool marker, by its own name)", "mm"),
    FrameInfo(STYLUS_TIP, "the calibrated tip of the stylus, axes parallel to its marker's", "mm"),
    FrameInfo(PROBE, "the marker of the ultrasound probe", "mm"),
    FrameInfo(IMAGE, "an ultrasound frame: x along a row, y down the depth, z out of plane", "px, or mm once scaled"),
    FrameInfo(CAMERA, "an optical camera, OpenCV axes: x right, y down, z forward", "mm"),
    FrameInfo(HEADSET, "the headset's own world anchor", "mm"),
    FrameInfo(UNITY, "Unity's world, y up; exists only inside unity_bridge", "m", "left"),
)

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def check_frame(name: str) -> str:
    """Returns `name` if it can be a frame name, else raises `InvalidFrameError`.

    `unity` is refused: it is left-handed and in metres, so no right-handed transform in mm can lead to it.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidFrameError(
            f"frame name {name!r}",
            "a lower-case identifier of up to 63 characters, such as 'ct'",
            "use a name from geometry.frames",
        )
    if name == UNITY:
        raise InvalidFrameError(
            "the frame 'unity' in a right-handed transform",
            "right-handed frames in mm",
            "convert with unity_bridge.wire.convention",
        )
    return name
