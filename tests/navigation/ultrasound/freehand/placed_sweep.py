"""The frames of a sweep as the live path places them."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Transform
from navigation.ultrasound.live.placed_frame import PlacedFrame
from navigation.ultrasound.pipeline import USABLE, FrameResult
from tests.reconstruction.freehand.sweeps import Sweep, image_map
from unity_bridge.wire.envelope import Validity

T_CT_REFERENCE = Transform.from_rotation(
    Rotation.from_euler("xyz", [0.3, -0.5, 1.0]), [10.0, 200.0, -30.0], "ct", "reference"
)


def placed(swept: Sweep, number: int, **changed) -> PlacedFrame:
    """A frame of the sweep, valid unless something else is asked for."""
    px = image_map(swept.mask.shape, (0.5, 0.5))
    state, pixels = changed.pop("state", USABLE), changed.pop("pixels", swept.frames[number])
    result = FrameResult(
        sequence=number,
        capture_ns=number,
        finished_ns=number,
        state=state,
        reason="" if state == USABLE else "the probe is in the air",
        contours=(),
        pixels=pixels,
    )
    pose = Transform(swept.T_reference_image_px[number] @ np.linalg.inv(px), "reference", "probe")
    given = {"validity": Validity.VALID, "reason": "", "T_reference_probe": pose, "T_ct_reference": T_CT_REFERENCE}
    return PlacedFrame(result=result, T_probe_image_px=px, shows_ns=number, **(given | changed))
